import fs from 'node:fs';
import { promisify } from 'node:util';

const CHUNK = 64 * 1024;
const NEWLINE = 10;

const read = promisify(fs.read);

/**
 * Where in the file `fd` its last `count` lines begin, and how many there are if it has fewer. A last line without an
 * end counts.
 */
export async function lastLinesStart(fd: number, count: number): Promise<{ start: number; lines: number }> {
  const { size } = fs.fstatSync(fd);
  if (count <= 0) return { start: size, lines: 0 };
  const buffer = Buffer.allocUnsafe(CHUNK);
  let lines = size > 0 ? 1 : 0;
  let end = size;
  while (end > 0) {
    const begin = Math.max(0, end - CHUNK);
    const { bytesRead } = await read(fd, buffer, 0, end - begin, begin);
    for (let at = bytesRead - 1; at >= 0; at--) {
      // The newline at the very end closes the last line, and so begins none.
      if (buffer[at] !== NEWLINE || begin + at === size - 1) continue;
      if (lines === count) return { start: begin + at + 1, lines };
      lines++;
    }
    end = begin;
  }
  return { start: 0, lines };
}
