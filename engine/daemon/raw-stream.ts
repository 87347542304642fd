import type { Call } from './call.ts';

/** Bytes of a terminal, as they are. */
export const RAW_STREAM = 'application/vnd.docker.raw-stream';
const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

/** How a stream of standard output and error is called to this client. */
export function streamType(call: Call, tty: boolean): string {
  return !tty && call.speaks('1.42') ? MULTIPLEXED_STREAM : RAW_STREAM;
}

/**
 * One frame of Docker's multiplexed stream: the number of the stream, three zero bytes, the length as 32 bits big-endian,
 * the data. Docker Engine API, "ContainerAttach", "Stream format".
 */
export function frame(stream: 'stdout' | 'stderr', data: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(8 + data.length);
  result.writeUInt32BE(stream === 'stdout' ? 0x01000000 : 0x02000000, 0);
  result.writeUInt32BE(data.length, 4);
  result.set(data, 8);
  return result;
}
