import type { FileHandle } from 'node:fs/promises';

const CHUNK = 64 * 1024;
const NEWLINE = 10;

/** Where in a file its last `count` lines begin. A last line without an end counts. */
export async function lastLinesStart(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat();
  if (count <= 0) return size;
  const buffer = Buffer.allocUnsafe(CHUNK);
  let left = count;
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      // The newline at the very end closes the last line, and so begins none.
      if (buffer[at] === NEWLINE && start + at !== size - 1 && --left === 0) return start + at + 1;
    }
    end = start;
  }
  return 0;
}
