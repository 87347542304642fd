import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerSchema } from './answer.ts';
import { decode, encode, LineReader, LONGEST_LINE, thrown } from './wire.ts';

const values = fc.letrec((tie) => ({
  value: fc.oneof(
    fc.string(),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
  ),
})).value;

describe('what crosses between subject and judge', () => {
  test('comes out as it went in', () => {
    fc.assert(
      fc.property(values, (value) => {
        // JSON has one zero; so has this.
        const once = decode(JSON.parse(JSON.stringify(encode(value))));
        expect(decode(JSON.parse(JSON.stringify(encode(once))))).toEqual(once);
        expect(JSON.stringify(encode(once))).toBe(JSON.stringify(encode(value)));
      }),
    );
  });

  test('cannot give an object another prototype', () => {
    const hostile = decode(JSON.parse('{"__proto__": {"passed": true}, "a": 1}')) as { passed?: boolean };
    expect(hostile.passed).toBeUndefined();
    expect(Object.getPrototypeOf(hostile)).toBe(Object.prototype);
  });

  test('cannot be a function', () => {
    expect(() => encode({ asymmetricMatch: () => true })).toThrow('A function cannot be told');
  });

  test('is cut into lines, however it arrives', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string().map((text) => text.replaceAll('\n', ''))),
        fc.integer({ min: 1, max: 9 }),
        (lines, size) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const reader = new LineReader();
          const found: string[] = [];
          for (let at = 0; at < bytes.length; at += size) found.push(...reader.push(bytes.subarray(at, at + size)));
          expect(found).toEqual(lines.map((line) => Buffer.from(line).toString()));
        },
      ),
    );
  });

  test('is never kept beyond the longest line', () => {
    const reader = new LineReader();
    const chunk = Buffer.alloc(1 << 20, 'x');
    expect(() => {
      for (let bytes = 0; bytes <= LONGEST_LINE; bytes += chunk.length) reader.push(chunk);
    }).toThrow('more than 1 MiB');
  });

  test('has a shape of its own and no other', () => {
    for (const wrong of [
      {},
      { id: 0, value: 1 },
      { id: 1 },
      { id: 1, value: 1, passed: true },
      { ready: 'yes' },
      [],
      null,
    ])
      expect(answerSchema.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
    expect(answerSchema.safeParse({ id: 1, value: null }).success).toBe(true);
  });

  test('tells of anything that was thrown', () => {
    expect(thrown('a string')).toEqual({ name: 'Error', message: 'a string was thrown' });
    expect(thrown(null).message).toBe('null was thrown');
    expect(thrown(Object.assign(new TypeError('no'), { code: 'EPERM', syscall: 'mount' }))).toMatchObject({
      name: 'TypeError',
      message: 'no',
      code: 'EPERM',
      syscall: 'mount',
    });
    expect(thrown({ message: 'x'.repeat(1 << 20) }).message.length).toBeLessThan(1 << 16);
  });
});
