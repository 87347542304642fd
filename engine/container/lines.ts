import type { Readable } from 'node:stream';

/** Call `receive` with each line of a stream of UTF-8, without its end. What follows the last line's end is dropped. */
export function readLines(stream: Readable, receive: (line: string) => void): void {
  let rest: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const part = chunk.subarray(start, end);
      receive(rest.length === 0 ? part.toString() : Buffer.concat([...rest, part]).toString());
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  });
}
