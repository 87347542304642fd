import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { pump, TURN_BYTES } from './pump.ts';

const PIECE = 64 * 1024;

/** Has always more to say. */
function endless(): Readable {
  return new Readable({
    highWaterMark: PIECE,
    read() {
      this.push(Buffer.alloc(PIECE));
    },
  });
}

test('streams without end move a bounded number of bytes in each turn of the loop, and each of them its share', async () => {
  const moved = Array.from({ length: 12 }, () => 0);
  const streams = moved.map((_, index) => {
    const from = endless();
    const to = new Writable({
      highWaterMark: 16 * PIECE,
      write(chunk: Buffer, _encoding, done) {
        moved[index]! += chunk.length;
        done();
      },
    });
    pump(from, to);
    return { from, to };
  });
  const total = () => moved.reduce((sum, each) => sum + each, 0);
  let most = 0;
  for (let turn = 0; turn < 200; turn++) {
    const before = total();
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, total() - before);
  }
  for (const { from, to } of streams) {
    from.destroy();
    to.destroy();
  }
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(TURN_BYTES + PIECE);
  expect(Math.max(...moved) - Math.min(...moved)).toBeLessThanOrEqual(2 * PIECE);
});

test('what goes in comes out, no faster than it is taken, and the end is seen by the reader alone', async () => {
  const from = new PassThrough();
  const taken: Buffer[] = [];
  let held = 0;
  const to = new Writable({
    highWaterMark: PIECE,
    write(chunk: Buffer, _encoding, done) {
      held = Math.max(held, to.writableLength);
      taken.push(chunk);
      setImmediate(done);
    },
  });
  pump(from, to);
  const sent = Buffer.from(Array.from({ length: 1_000_003 }, (_, at) => at % 251));
  for (let at = 0; at < sent.length; at += 7001)
    if (!from.write(sent.subarray(at, at + 7001))) await once(from, 'drain');
  from.end();
  await once(from, 'end');
  await new Promise<void>((resolve) => to.end(resolve));
  expect(Buffer.concat(taken).equals(sent)).toBe(true);
  // One piece more than is too much, whatever comes in meanwhile.
  expect(held).toBeLessThanOrEqual(2 * PIECE);
});

test('when the taker has gone the rest is dropped and the end is seen all the same', async () => {
  const from = new PassThrough();
  const to = new PassThrough();
  pump(from, to);
  from.write('x');
  to.destroy();
  await once(to, 'close');
  for (let count = 0; count < 100; count++) from.write(Buffer.alloc(PIECE));
  from.end();
  await once(from, 'end');
});
