/** Messages that are made to cost more than they are long. */

import { describe, expect, test } from 'vitest';
import { answer } from './answer.ts';
import { decodeMessage, MESSAGE_MOST, RCODE, TYPE } from './message.ts';
import { ContainerNames } from './names.ts';
import { MessageReader } from './tcp-messages.ts';
import { TokenBucket } from './token-bucket.ts';

const nothing = new ContainerNames(() => []);

/** One question of 127 labels, and as many records as fit whose owner and data point to it. */
function pointersToQuestion(): Buffer {
  const name = Buffer.from([...Array.from({ length: 127 }, () => [1, 0x61]).flat(), 0]);
  const question = Buffer.concat([name, Buffer.from([0, TYPE.A, 0, 1])]);
  const record = Buffer.from([0xc0, 12, 0, TYPE.NS, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12]);
  const count = Math.floor((MESSAGE_MOST - 12 - question.length) / record.length);
  const header = Buffer.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, count >> 8, count & 0xff]);
  return Buffer.concat([header, question, ...Array.from({ length: count }, () => record)]);
}

/** The same bytes, and how often something of them was looked at. */
function counted(bytes: Buffer): { bytes: Buffer; looks: () => number } {
  let looks = 0;
  const watched = new Proxy(bytes, {
    get(target, key) {
      looks++;
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { bytes: watched, looks: () => looks };
}

describe('a message of 64 KB whose records all point to a long name', () => {
  test('is looked at about once for each byte', () => {
    const { bytes, looks } = counted(pointersToQuestion());
    expect(answer(bytes, 'tcp', nothing)).toBe('forward');
    expect(bytes.length).toBeGreaterThan(65_000);
    expect(looks()).toBeLessThan(2 * bytes.length);
    // What decodes all of it looks many times as often: the count does tell.
    const whole = counted(pointersToQuestion());
    decodeMessage(whole.bytes);
    expect(whole.looks()).toBeGreaterThan(10 * looks());
  });

  test.each([
    ['is cut short', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['has a name without an end', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -14), Buffer.alloc(14, 1)])],
  ])('and that %s is malformed', (_, damage) => {
    const reply = answer(damage(pointersToQuestion()), 'tcp', nothing) as Buffer;
    expect(decodeMessage(reply)).toMatchObject({ id: 0x0102, rcode: RCODE.FORMERR });
  });
});

describe('a failure', () => {
  test('gives the question back as its bytes', () => {
    const query = Buffer.from('\xbe\xef\x29\x00\0\x01\0\0\0\0\0\0\x03wEb\0\0\x01\0\x01', 'latin1');
    const reply = answer(query, 'udp', nothing) as Buffer;
    expect(reply.subarray(12)).toEqual(query.subarray(12));
    expect(decodeMessage(reply)).toMatchObject({ id: 0xbeef, opcode: 5, rcode: RCODE.NOTIMP, recursionDesired: true });
  });

  test('is the answer to a question whose name has a pointer, without that question', () => {
    // It points to the first byte of the header, which is 0 and so the root.
    const query = Buffer.from('\0\x07\x01\x00\0\x01\0\0\0\0\0\0\x01a\xc0\0\0\x01\0\x01', 'latin1');
    const reply = decodeMessage(answer(query, 'udp', nothing) as Buffer);
    expect(reply).toMatchObject({ id: 7, rcode: RCODE.FORMERR, questions: [] });
  });
});

test('a message that comes byte by byte is copied as it comes', () => {
  const message = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 251));
  const reader = new MessageReader();
  const one = Buffer.alloc(1);
  const found: Buffer[] = [];
  for (const byte of [message.length >> 8, message.length & 0xff, ...message, 0]) {
    // What is kept of a piece is its bytes and not the piece.
    one[0] = byte;
    found.push(...reader.push(one));
    expect(reader.isAmid).toBe(found.length === 0 || byte === 0);
  }
  expect(found).toEqual([message]);
});

test('a bucket gives as many as it holds, and then as many as time brings', () => {
  let now = 5_000;
  const bucket = new TokenBucket(100, () => now);
  const taken = () => Array.from({ length: 200 }, () => bucket.take()).filter(Boolean).length;
  expect(taken()).toBe(100);
  expect(taken()).toBe(0);
  now += 250;
  expect(taken()).toBe(25);
  now += 60_000;
  expect(taken()).toBe(100);
});
