import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DnsFormatError, foldName, nameBytes, readName } from './domain-name.ts';
import { CLASS_IN, type DnsRecord, decodeMessage, encodeMessage, type Message, TYPE } from './message.ts';
import { framed, MessageReader } from './tcp-messages.ts';

const bare: Message = {
  id: 0x1234,
  isResponse: true,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: true,
  authenticData: false,
  checkingDisabled: false,
  rcode: 0,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
};

/** A name as it is written by `readName`: labels of any bytes, short enough for all of them together. */
const names = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 8 })
  .map(
    (labels) =>
      readName(Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.from([0])]), 0)
        .name,
  );
const records: fc.Arbitrary<DnsRecord> = fc.record({
  name: names,
  // Types whose data is looked into are made by the engine only with whole names.
  type: fc.constantFrom(TYPE.A, TYPE.AAAA, TYPE.TXT, 33, 65_280),
  class: fc.nat(0xffff),
  ttl: fc.nat(0xffff_ffff),
  data: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});
const messages: fc.Arbitrary<Message> = fc.record({
  id: fc.nat(0xffff),
  isResponse: fc.boolean(),
  opcode: fc.nat(15),
  authoritative: fc.boolean(),
  truncated: fc.constant(false),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  authenticData: fc.boolean(),
  checkingDisabled: fc.boolean(),
  rcode: fc.nat(15),
  questions: fc.array(fc.record({ name: names, type: fc.nat(0xffff), class: fc.nat(0xffff) }), { maxLength: 3 }),
  answers: fc.array(records, { maxLength: 5 }),
  authorities: fc.array(records, { maxLength: 3 }),
  additionals: fc.array(records, { maxLength: 3 }),
});

/** A header that claims one question, with `name` as its name. */
function questionOf(...name: number[]): Buffer {
  return Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 1, 0, 1]);
}

describe('messages', () => {
  test('a message that is written and read again is the same', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
    );
  });

  test('any bytes are a message or a DnsFormatError', () => {
    const decoded = (bytes: Uint8Array) => {
      try {
        decodeMessage(Buffer.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(DnsFormatError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), decoded), { numRuns: 2000 });
    // Most bytes do not get far: messages with a few wrong bytes do.
    const damages = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(messages, damages, fc.nat(), (message, changes, cut) => {
        const bytes = encodeMessage(message);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        decoded(bytes.subarray(0, cut % (bytes.length + 1)));
        decoded(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test('every beginning of a message is rejected', () => {
    const record = { name: 'web.example', type: TYPE.A, class: CLASS_IN, ttl: 1, data: Buffer.from([1, 2, 3, 4]) };
    const whole = encodeMessage({
      ...bare,
      questions: [{ name: 'web.example', type: TYPE.A, class: 1 }],
      answers: [record],
    });
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeMessage(whole.subarray(0, length)), `${length} bytes`).toThrow(DnsFormatError);
    expect(decodeMessage(Buffer.concat([whole, Buffer.from('behind it')])).answers).toEqual([record]);
  });

  test.each([
    ['leads to itself', questionOf(0xc0, 12)],
    ['leads forward', questionOf(0xc0, 14, 0)],
    ['leads to its own labels', questionOf(1, 0x61, 0xc0, 12)],
    ['leads out of the message', questionOf(0xff, 0xff)],
    ['leads back to labels that end in it', Buffer.concat([questionOf(1, 0x61, 0xc0, 12), Buffer.from([0xc0, 12])])],
  ])('a pointer that %s is rejected', (_, bytes) => {
    expect(() => decodeMessage(bytes)).toThrow(DnsFormatError);
  });

  test.each([
    ['a label of the kind 01', [0x41, 0x61, 0]],
    ['a label of the kind 10', [0x81, 0x61, 0]],
    [
      'a name of 256 bytes',
      [
        ...Array(5)
          .fill([50, ...Array(50).fill(0x61)])
          .flat(),
        0,
      ],
    ],
    ['a name without an end', [1, 0x61]],
  ])('%s is rejected', (_, name) => {
    expect(() => readName(Buffer.from(name as number[]), 0)).toThrow(DnsFormatError);
  });

  test('a chain of pointers as long as the message is rejected without following it', () => {
    const chain = Buffer.alloc(16_384);
    chain[0] = 0;
    for (let at = 2; at < chain.length; at += 2) chain.writeUInt16BE(0xc000 | (at - 2), at);
    expect(() => readName(chain, chain.length - 2)).toThrow('too many pointers');
  });

  test('a name that stands in the message already is pointed to', () => {
    const known = new Map<string, number>();
    const first = nameBytes('web.example', 12, known);
    expect(first.toString('latin1')).toBe('\x03web\x07example\x00');
    expect(nameBytes('db.example', 30, known)).toEqual(Buffer.from([2, 0x64, 0x62, 0xc0, 16]));
    // Cases are kept as they were asked for, so another case is other bytes.
    expect(nameBytes('db.Example', 40, known).length).toBe(12);
  });

  test('names in the data of a record are written out', () => {
    const message = Buffer.concat([
      questionOf(3, 0x77, 0x65, 0x62, 0),
      Buffer.from([0xc0, 12, 0, TYPE.CNAME, 0, 1, 0, 0, 0, 60, 0, 4, 1, 0x61, 0xc0, 12]),
    ]);
    message.writeUInt16BE(1, 6);
    expect(decodeMessage(message).answers[0]!.data.toString('latin1')).toBe('\x01a\x03web\x00');
    // The name goes on behind the end of the data.
    message.writeUInt16BE(3, message.length - 6);
    expect(() => decodeMessage(message)).toThrow(DnsFormatError);
  });

  test('a message that does not fit says so, and keeps whole records and OPT', () => {
    const answers = Array.from({ length: 100 }, (_, index) => ({
      name: 'web',
      type: TYPE.A,
      class: CLASS_IN,
      ttl: 60,
      data: Buffer.from([10, 0, 0, index]),
    }));
    const opt = { name: '', type: TYPE.OPT, class: 1232, ttl: 0, data: Buffer.alloc(0) };
    const questions = [{ name: 'web', type: TYPE.A, class: CLASS_IN }];
    const bytes = encodeMessage({ ...bare, questions, answers, additionals: [opt] }, 512);
    expect(bytes.length).toBeLessThanOrEqual(512);
    expect(bytes.length).toBeGreaterThan(512 - 16);
    const read = decodeMessage(bytes);
    expect(read.truncated).toBe(true);
    expect(read.answers).toEqual(answers.slice(0, read.answers.length));
    expect(read.additionals).toEqual([opt]);
    expect(decodeMessage(encodeMessage({ ...bare, questions, answers })).truncated).toBe(false);
  });
});

describe('names as text', () => {
  test('dots, backslashes and bytes that cannot be printed are escaped', () => {
    expect(readName(Buffer.from('\x04a.\\\x07\x02zz\x00', 'latin1'), 0).name).toBe('a\\.\\\\\\007.zz');
    expect(nameBytes('a\\.\\\\\\007.zz', 0, new Map()).toString('latin1')).toBe('\x04a.\\\x07\x02zz\x00');
  });

  test.each(['a..b', '.a', `${'a'.repeat(64)}`, 'a\\', '\\256', Array(130).fill('a').join('.')])(
    '%j is not a name',
    (name) => {
      expect(() => nameBytes(name, 0, new Map())).toThrow(DnsFormatError);
    },
  );

  test('names are compared without case and without the last dot', () => {
    expect(foldName('Web.Example.')).toBe('web.example');
    expect(foldName('a\\.')).toBe('a\\.');
    expect(foldName('a\\\\.')).toBe('a\\\\');
    // DNS knows the case of ASCII letters only.
    expect(foldName('\u212a')).toBe('\u212a');
  });
});

test('messages over a stream are found however it is cut', () => {
  const several = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 });
  fc.assert(
    fc.property(several, fc.array(fc.nat(400)), (whole, cuts) => {
      const stream = Buffer.concat(whole.map((each) => framed(Buffer.from(each))));
      const places = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b), stream.length];
      const reader = new MessageReader();
      const found = places.slice(1).flatMap((to, index) => reader.push(stream.subarray(places[index], to)));
      expect(found.map((each) => [...each])).toEqual(whole.map((each) => [...each]));
    }),
  );
});
