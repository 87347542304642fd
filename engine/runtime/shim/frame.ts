/** Docker's multiplexed stream. Docker Engine API, ContainerAttach, "Stream format". */

import type { OutputName } from './log.ts';

const numbers: Record<OutputName, number> = { stdout: 1, stderr: 2 };
const HEADER_BYTES = 8;

/** A frame of its own memory around a copy of `payload`. */
export function frame(stream: OutputName, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes.writeUInt32BE(numbers[stream] * 0x1000000, 0);
  bytes.writeUInt32BE(payload.length, 4);
  payload.copy(bytes, HEADER_BYTES);
  return bytes;
}
