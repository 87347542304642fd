import type { Writable } from 'node:stream';

/** End the process once everything written has reached its reader. */
export async function exitAfterFlush(code: number): Promise<never> {
  await flush(process.stdout);
  await flush(process.stderr);
  process.exit(code);
}

/** Resolves when what was written so far has been handed to the kernel. */
export function flush(stream: Writable): Promise<void> {
  if (stream.writableLength === 0 || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once('close', resolve);
    stream.write('', () => resolve());
  });
}

/** Write `text`; resolves when more may be written without filling the memory. */
export function write(text: string, stream: Writable = process.stdout): Promise<void> {
  if (stream.write(text)) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function complain(line: string): void {
  process.stderr.write(`${process.stderr.isTTY ? printable(line) : line}\n`);
}

/**
 * `text` without what a terminal would obey. Names, labels and sentences come from images, registries and other users;
 * none of them shall move the cursor or set the window's title.
 */
export function printable(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, '\u{fffd}');
}
