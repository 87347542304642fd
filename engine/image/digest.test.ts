import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { DigestStream, digestOf, hexOf, InvalidDigest, parseDigest, shortId } from './digest.ts';

const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

test('the digest of nothing is the well-known one', () => {
  expect(digestOf('')).toBe(EMPTY);
  expect(hexOf(digestOf(''))).toHaveLength(64);
  expect(shortId(digestOf(''))).toBe('e3b0c44298fc');
});

test.each([
  ['', 'empty'],
  ['sha256:', 'no digits'],
  [EMPTY.toUpperCase(), 'capitals'],
  [EMPTY.slice(0, -1), 'a digit short'],
  [`${EMPTY}0`, 'a digit long'],
  [` ${EMPTY}`, 'a space before'],
  [`${EMPTY}\n`, 'a line end'],
  [EMPTY.replace('sha256', 'sha512'), 'another algorithm'],
  ['sha256:../../../../etc/passwd', 'a path'],
])('%j is not a digest: %s', (text) => {
  expect(() => parseDigest(text)).toThrow(InvalidDigest);
});

test('what passes through a digest stream comes out unchanged and has the same digest as in one piece', async () => {
  const chunks = [1, 70_000, 0, 3].map((size) => randomBytes(size));
  const stream = new DigestStream();
  const out = await buffer(Readable.from(chunks).pipe(stream));
  expect(out).toEqual(Buffer.concat(chunks));
  expect(stream.size).toBe(70_004);
  expect(stream.digest()).toBe(`sha256:${createHash('sha256').update(out).digest('hex')}`);
  expect(stream.digest()).toBe(digestOf(out));
});
