/** What is sent to attached clients. Docker Engine API, ContainerAttach, "Stream format". */

import type { OutputName } from './log-entry.ts';

const numbers: Record<OutputName, number> = { stdout: 1, stderr: 2 };
const HEADER_BYTES = 8;
const LARGEST_PAYLOAD = 64 * 1024;
const MOST_SPARE = 4;

/**
 * Frames that have been sent and can be filled again. Left to the garbage collector, a talkative container would make
 * the shim grow by a hundred megabytes, and every fork after it copy the tables of those.
 */
const spare: Buffer[] = [];

export interface Frame {
  bytes: Buffer;
  /** Call once for each of the receivers, when it is done with the bytes. */
  release(): void;
}

/**
 * A copy of `payload`, at most 64 KiB, for several receivers.
 * @param stream whose header is put before it; null for a terminal, whose stream has none.
 */
export function frame(stream: OutputName | null, payload: Buffer, receivers: number): Frame {
  const whole = spare.pop() ?? Buffer.allocUnsafeSlow(HEADER_BYTES + LARGEST_PAYLOAD);
  const header = stream === null ? 0 : HEADER_BYTES;
  if (stream !== null) {
    whole.writeUInt32BE(numbers[stream] * 0x1000000, 0);
    whole.writeUInt32BE(payload.length, 4);
  }
  payload.copy(whole, header);
  let holders = receivers;
  return {
    bytes: whole.subarray(0, header + payload.length),
    release() {
      if (--holders === 0 && spare.length < MOST_SPARE) spare.push(whole);
    },
  };
}
