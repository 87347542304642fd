import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { compressionOf, decompress } from './compression.ts';

/** Not so random that nothing is won, and more than one of bzip2's blocks. */
const content = Buffer.concat([randomBytes(150_000), Buffer.alloc(300_000, 'skiff '), randomBytes(100_000)]);

function packed(program: string, ...options: string[]): Buffer {
  return execFileSync(program, [...options, '-c'], { input: content, maxBuffer: 1 << 28 });
}

async function unpacked(bytes: Buffer, piece = 10_000): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, at) =>
    bytes.subarray(at * piece, (at + 1) * piece),
  );
  const source = Readable.from(pieces, { objectMode: false });
  const chunks: Buffer[] = [];
  for await (const chunk of decompress(source, compressionOf(bytes))) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe.each([
  ['gzip', 'gzip', []],
  ['xz', 'xz', ['-1']],
  ['xz of several blocks', 'xz', ['-1', '--block-size=100000']],
  ['bzip2', 'bzip2', ['-1']],
] as [string, string, string[]][])('%s', (_, program, options) => {
  test('comes out as it went in, however it is torn', async () => {
    const bytes = packed(program, ...options);
    for (const piece of [bytes.length, 1_000]) expect((await unpacked(bytes, piece)).equals(content)).toBe(true);
  });

  test('one stream after another is read as one', async () => {
    const bytes = packed(program, ...options);
    expect((await unpacked(Buffer.concat([bytes, bytes]))).equals(Buffer.concat([content, content]))).toBe(true);
  });

  test.each([1, 20, 0.3, 0.9])('what is cut off is refused (%s)', async (kept) => {
    const bytes = packed(program, ...options);
    const cut = kept === 1 || kept === 20 ? bytes.length - kept : Math.floor(bytes.length * kept);
    await expect(unpacked(bytes.subarray(0, cut))).rejects.toThrow(/cut off|unexpected end/);
  });
});

test('damaged content, and what asks for gigabytes of memory, is refused', async () => {
  for (const program of ['xz', 'bzip2']) {
    const bytes = packed(program);
    const middle = Math.floor(bytes.length / 2);
    bytes.fill(0xaa, middle, middle + 64);
    await expect(unpacked(bytes)).rejects.toThrow(/damaged/);
  }
  const small = execFileSync('xz', ['--lzma2=preset=0,dict=1GiB', '-c'], { input: content });
  await expect(unpacked(small)).rejects.toThrow(/memory/);
});
