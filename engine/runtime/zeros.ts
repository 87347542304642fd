/** What is zero in a file needs no place on the disk. */

const ZEROS = Buffer.alloc(64 * 1024);
/** Bytes: file systems have no smaller holes. */
const HOLE_MIN = 4096;

/** Whether a piece is worth a hole. Looking costs next to nothing: memcmp(3) ends at the first byte that differs. */
export function isZeros(piece: Buffer): boolean {
  if (piece.length < HOLE_MIN) return false;
  for (let at = 0; at < piece.length; at += ZEROS.length) {
    const part = piece.subarray(at, at + ZEROS.length);
    if (part.compare(ZEROS, 0, part.length) !== 0) return false;
  }
  return true;
}
