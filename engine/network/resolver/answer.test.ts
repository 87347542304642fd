import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answer, type Decision } from './answer.ts';
import { decodeMessage, encodeMessage, type Message, RCODE, TYPE } from './message.ts';
import { ContainerNames, type Member, NetworkNames } from './names.ts';

const web: Member = { names: ['web', 'Front', 'site', '0123456789ab'], addresses: ['172.20.0.2', 'fd00::2'] };
const db: Member = { names: ['db', 'site'], addresses: ['172.20.0.3'] };
const other: Member = { names: ['web', 'other'], addresses: ['172.21.0.9'] };

function table(): { names: ContainerNames; first: NetworkNames } {
  const first = new NetworkNames('shop');
  const second = new NetworkNames('back.end');
  first.add(web);
  first.add(db);
  second.add(other);
  return {
    names: new ContainerNames(
      () => [first, second],
      () => [{ alias: 'Store', name: 'db' }],
    ),
    first,
  };
}

function query(name: string, type: number, changes: Partial<Message> = {}): Buffer {
  return encodeMessage({
    id: 0xbeef,
    isResponse: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [{ name, type, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
    ...changes,
  });
}

function read(decision: Decision): Message {
  expect(Buffer.isBuffer(decision), String(decision)).toBe(true);
  return decodeMessage(decision as Buffer);
}

function addresses(decision: Decision): string[] {
  return read(decision).answers.map(({ data }) => (data.length === 4 ? [...data].join('.') : data.toString('hex')));
}

const ask = (name: string, type: number = TYPE.A, names = table().names) => answer(query(name, type), 'udp', names);

describe('a name that is known', () => {
  test.each([
    ['web', ['172.20.0.2']],
    ['WEB', ['172.20.0.2']],
    ['front', ['172.20.0.2']],
    ['0123456789ab', ['172.20.0.2']],
    ['web.shop', ['172.20.0.2']],
    ['web.Shop', ['172.20.0.2']],
    ['web.back.end', ['172.21.0.9']],
    ['other', ['172.21.0.9']],
    ['store', ['172.20.0.3']],
  ])('%s has its addresses', (name, expected) => {
    expect(addresses(ask(name))).toEqual(expected);
  });

  test('AAAA has the addresses of the other family, and none is an answer too', () => {
    expect(addresses(ask('web', TYPE.AAAA))).toEqual(['fd000000000000000000000000000002']);
    const without = read(ask('db', TYPE.AAAA));
    expect(without).toMatchObject({ rcode: RCODE.NOERROR, answers: [] });
  });

  test('a type that containers have nothing of has an empty answer', () => {
    expect(read(ask('web', TYPE.MX))).toMatchObject({ rcode: RCODE.NOERROR, answers: [] });
  });

  test('ANY has all', () => {
    expect(addresses(ask('web', TYPE.ANY))).toEqual(['172.20.0.2', 'fd000000000000000000000000000002']);
  });

  test('the question comes back as it was spelled', () => {
    const reply = read(ask('wEb'));
    expect(reply).toMatchObject({ id: 0xbeef, isResponse: true, recursionDesired: true, recursionAvailable: true });
    expect(reply.questions).toEqual([{ name: 'wEb', type: TYPE.A, class: 1 }]);
    expect(reply.answers[0]!.name).toBe('wEb');
  });

  test('a shared name begins each time with another member, for each family by itself', () => {
    const { names } = table();
    const both = () => {
      ask('site', TYPE.AAAA, names);
      return addresses(ask('site', TYPE.A, names));
    };
    expect([both(), both(), both()]).toEqual([
      ['172.20.0.2', '172.20.0.3'],
      ['172.20.0.3', '172.20.0.2'],
      ['172.20.0.2', '172.20.0.3'],
    ]);
  });

  test('a member that left is known no more, and others of its names stay', () => {
    const { names, first } = table();
    first.remove(web);
    expect(addresses(ask('site', TYPE.A, names))).toEqual(['172.20.0.3']);
    expect(ask('front', TYPE.A, names)).toBe('forward');
    expect(addresses(ask('web', TYPE.A, names))).toEqual(['172.21.0.9']);
    expect(ask('2.0.20.172.in-addr.arpa', TYPE.PTR, names)).toBe('forward');
    first.remove(web);
    first.add({ ...web, addresses: ['172.20.0.77'] });
    expect(addresses(ask('front', TYPE.A, names))).toEqual(['172.20.0.77']);
  });
});

describe('an address', () => {
  const reverse6 = `2.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`;
  test.each([
    ['2.0.20.172.in-addr.arpa', '\x03web\x04shop\x00'],
    ['9.0.21.172.IN-ADDR.arpa', '\x03web\x04back\x03end\x00'],
    [reverse6, '\x03web\x04shop\x00'],
  ])('%s has the name of its container', (name, expected) => {
    expect(read(ask(name, TYPE.PTR)).answers.map(({ data }) => data.toString('latin1'))).toEqual([expected]);
  });

  test.each(['8.8.8.8.in-addr.arpa', '0.20.172.in-addr.arpa', 'x.ip6.arpa', `1.${reverse6}`])(
    '%s is for others',
    (name) => {
      expect(ask(name, TYPE.PTR)).toBe('forward');
    },
  );

  test('of a container whose name is too long for DNS has no name', () => {
    const names = new NetworkNames('shop');
    names.add({ names: ['x'.repeat(64)], addresses: ['172.20.0.9'] });
    const reply = answer(query('9.0.20.172.in-addr.arpa', TYPE.PTR), 'udp', new ContainerNames(() => [names]));
    expect(read(reply)).toMatchObject({ rcode: RCODE.NOERROR, answers: [] });
  });
});

describe('a large answer', () => {
  const many = new NetworkNames('shop');
  for (let index = 0; index < 300; index++)
    many.add({ names: ['all'], addresses: [`172.20.${1 + (index >> 7)}.${index & 127}`] });
  const names = new ContainerNames(() => [many]);
  const opt = (bytes: number, ttl = 0) => ({ name: '', type: TYPE.OPT, class: bytes, ttl, data: Buffer.alloc(0) });

  test.each([
    ['over UDP has 512 bytes', [], 512],
    ['over UDP has what EDNS allows', [opt(1400)], 1400],
    ['has 512 bytes even if EDNS says less', [opt(10)], 512],
  ])('%s, whole records, and says that there is more', (_, additionals, most) => {
    const bytes = answer(query('all', TYPE.A, { additionals }), 'udp', names) as Buffer;
    expect(bytes.length).toBeLessThanOrEqual(most);
    expect(bytes.length).toBeGreaterThan(most - 16);
    expect(decodeMessage(bytes).truncated).toBe(true);
    expect(decodeMessage(bytes).additionals.length).toBe(additionals.length);
  });

  test('over TCP is whole', () => {
    const reply = read(answer(query('all', TYPE.A), 'tcp', names));
    expect(reply.truncated).toBe(false);
    expect(reply.answers.length).toBe(300);
  });

  test('EDNS of an unknown version is refused as such', () => {
    const reply = read(answer(query('all', TYPE.A, { additionals: [opt(4096, 1 << 16)] }), 'udp', names));
    expect(reply.answers).toEqual([]);
    expect(reply.additionals[0]!.ttl >>> 24).toBe(1);
  });
});

describe('what is not a question for this resolver', () => {
  test('a name, a class or an address of others is forwarded', () => {
    expect(ask('example.org')).toBe('forward');
    expect(ask('')).toBe('forward');
    const chaos = query('web', TYPE.TXT, { questions: [{ name: 'web', type: TYPE.TXT, class: 3 }] });
    expect(answer(chaos, 'udp', table().names)).toBe('forward');
  });

  test('an answer is not answered', () => {
    expect(answer(query('web', TYPE.A, { isResponse: true }), 'udp', table().names)).toBe('ignore');
  });

  test('another operation is not implemented', () => {
    expect(read(answer(query('web', TYPE.A, { opcode: 5 }), 'udp', table().names)).rcode).toBe(RCODE.NOTIMP);
  });

  test.each([
    ['no question', { questions: [] }],
    ['two questions', { questions: Array(2).fill({ name: 'web', type: TYPE.A, class: 1 }) }],
  ])('%s is malformed', (_, changes) => {
    expect(read(answer(query('web', TYPE.A, changes), 'udp', table().names)).rcode).toBe(RCODE.FORMERR);
  });

  test('any bytes get an answer of their own, are forwarded or are ignored', () => {
    const { names } = table();
    const damages = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    const damaged = fc.tuple(fc.constantFrom('web', 'site', 'a.b'), damages).map(([name, changes]) => {
      const bytes = query(name, TYPE.ANY, {
        additionals: [{ name: '', type: TYPE.OPT, class: 600, ttl: 0, data: Buffer.alloc(0) }],
      });
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
    const garbage = fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, garbage), (bytes) => {
        const decision = answer(bytes, 'udp', names);
        if (!Buffer.isBuffer(decision)) return;
        expect(decision.readUInt16BE(0)).toBe(bytes.readUInt16BE(0));
        expect(decodeMessage(decision).isResponse).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
