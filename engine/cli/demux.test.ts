import { PassThrough, Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copy, demultiplex, FrameParser } from './demux.ts';

function frame(kind: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

function collector(): { stream: Writable; bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk, _encoding, callback) {
      chunks.push(chunk);
      callback();
    },
  });
  return { stream, bytes: () => Buffer.concat(chunks) };
}

describe('the multiplexed stream', () => {
  test('comes apart into the two streams it was made of, wherever the chunks are cut', async () => {
    const frames = fc.array(fc.record({ kind: fc.constantFrom(0, 1, 2), bytes: fc.uint8Array({ maxLength: 40 }) }));
    await fc.assert(
      fc.asyncProperty(frames, fc.array(fc.integer({ min: 1, max: 13 }), { minLength: 1 }), async (list, cuts) => {
        const whole = Buffer.concat(list.map(({ kind, bytes }) => frame(kind, bytes)));
        const chunks: Buffer[] = [];
        for (let at = 0, turn = 0; at < whole.length; turn += 1) {
          const size = cuts[turn % cuts.length] as number;
          chunks.push(whole.subarray(at, at + size));
          at += size;
        }
        const [out, err] = [collector(), collector()];
        await demultiplex(Readable.from(chunks), out.stream, err.stream);
        const of = (kinds: number[]): Buffer =>
          Buffer.concat(list.filter((each) => kinds.includes(each.kind)).map((each) => each.bytes));
        expect(out.bytes()).toEqual(of([0, 1]));
        expect(err.bytes()).toEqual(of([2]));
      }),
      { numRuns: 60 },
    );
  });

  test('hands a frame on in pieces, so that a frame of 4 GiB needs no 4 GiB', () => {
    const parser = new FrameParser();
    const header = Buffer.alloc(8);
    header[0] = 1;
    header.writeUInt32BE(0xffffffff, 4);
    expect(parser.push(header)).toEqual([]);
    expect(parser.push(Buffer.from('abc'))).toEqual([{ kind: 1, bytes: Buffer.from('abc') }]);
    expect(parser.complete).toBe(false);
  });

  test('that is malformed is rejected', async () => {
    const copied = demultiplex(Readable.from([Buffer.from('hello world')]), collector().stream, collector().stream);
    await expect(copied).rejects.toThrow('not made of frames');
  });

  test('that ends within a frame is an error, not a short output', async () => {
    const half = frame(1, Buffer.from('hello')).subarray(0, 10);
    const copied = demultiplex(Readable.from([half]), collector().stream, collector().stream);
    await expect(copied).rejects.toThrow('broke off');
  });

  test('carries failures of the daemon', async () => {
    const failure = frame(3, Buffer.from('the disk is full\n'));
    const copied = demultiplex(Readable.from([failure]), collector().stream, collector().stream);
    await expect(copied).rejects.toThrow('Error response from daemon: the disk is full');
  });
});

test.each(['demultiplex', 'copy'])('%s reads no more than a slow reader takes', async (how) => {
  let produced = 0;
  const source = new Readable({
    read() {
      produced += 1;
      this.push(produced <= 10_000 ? frame(1, Buffer.alloc(1024)) : null);
    },
  });
  const slow = new PassThrough({ highWaterMark: 4096 });
  const done = how === 'copy' ? copy(source, slow) : demultiplex(source, slow, collector().stream);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(produced).toBeLessThan(200);
  slow.resume();
  await done;
  expect(produced).toBe(10_001);
});
