import { randomBytes, randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encode } from '../../engine/kernel/classic-bpf.ts';
import type { ArgumentTest, FilterEntry } from '../../engine/runtime/contract/privileges.ts';
import { assembleFilter } from '../../engine/runtime/seccomp/program.ts';
import { eventually, idMap, nonce, status } from '../../grader/harness/evidence.ts';
import { existsSync, readFileSync } from '../../grader/harness/files.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import type { ConfineRequest, Step } from './privileges.driver.ts';
import * as judge from './privileges.judge.ts';
import { ALLOW, decide, errno, everyName, maskOf, masksOf, NATIVE, some } from './privileges.judge.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject({ noNewPrivileges: false });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

describe('names and bits', () => {
  test('task 1: a capability is one bit, also beyond the 32nd', async () => {
    for (const names of [[], ['CAP_CHOWN'], ['CAP_CHECKPOINT_RESTORE'], some(everyName, 12), [...everyName]])
      expect(await subject.call('capabilityMask', names), names.join(' ')).toBe(maskOf(names));
    expect(await subject.call('capabilityMask', ['CAP_KILL', 'CAP_KILL']), 'named twice').toBe(maskOf(['CAP_KILL']));
  });

  test('task 1: a name that is none is refused by name', async () => {
    for (const name of ['CAP_SAIL', 'chown'])
      await expect(subject.call('capabilityMask', ['CAP_CHOWN', name])).rejects.toThrow(name);
  });

  test('task 1: the five sets are read out of a status', async () => {
    const sets = Object.keys(judge.sets) as judge.SetName[];
    const drawn = Object.fromEntries(sets.map((set) => [set, some(everyName, randomInt(1, 30))]));
    const hex = (set: string) => (maskOf(drawn[set]!) | (1n << 62n)).toString(16).padStart(16, '0');
    const lines = sets.map((set) => `${judge.sets[set]}:\t${hex(set)}\n`).join('');
    const inOrder = (names: string[]) => everyName.filter((name) => names.includes(name));
    expect(await subject.call('readCapabilities', `Name:\tCapEff\nPid:\t7\n${lines}NoNewPrivs:\t0\n`)).toEqual(
      Object.fromEntries(sets.map((set) => [set, inOrder(drawn[set]!)])),
    );
  });
});

/** What the subject may give, as masks. */
const own = () => masksOf(subject.pid).bounding;

describe('the bounding set', () => {
  test('task 2: what is not kept is gone, and the rest is there', async () => {
    for (const keep of [some(everyName, 9), [], ['CAP_CHOWN', 'CAP_CHECKPOINT_RESTORE']]) {
      const pid = await judge.stopped(subject, { do: 'dropBoundingSet', keep });
      expect(masksOf(pid).bounding.toString(16), keep.join(' ')).toBe((maskOf(keep) & own()).toString(16));
      await subject.call('goOn');
    }
  });

  test("task 2: not even root's exec brings it back", async () => {
    const keep = ['CAP_KILL', 'CAP_SETUID'];
    const pid = await judge.running(subject, { do: 'dropBoundingSet', keep });
    expect(masksOf(pid).permitted.toString(16)).toBe(maskOf(keep).toString(16));
  });
});

describe('the sets of a thread', () => {
  const masksAfter = async (...steps: Step[]) => {
    const masks = masksOf(await judge.stopped(subject, ...steps));
    await subject.call('goOn');
    return masks;
  };

  test('task 3: permitted, effective and inheritable are as asked for', async () => {
    const permitted = some(everyName, 8);
    const capabilities = { permitted, effective: permitted.slice(3), inheritable: permitted.slice(0, 2) };
    expect(await masksAfter({ do: 'setCapabilitySets', capabilities })).toEqual({
      permitted: maskOf(permitted) & own(),
      effective: maskOf(capabilities.effective) & own(),
      inheritable: maskOf(capabilities.inheritable) & own(),
      ambient: 0n,
      bounding: own(),
    });
  });

  test('task 3: what the thread does not have is left out, and is no error', async () => {
    const few = { permitted: ['CAP_KILL', 'CAP_CHOWN'], effective: ['CAP_KILL'] };
    const many = { permitted: [...everyName], effective: [...everyName], inheritable: [...everyName] };
    const masks = await masksAfter(
      { do: 'setCapabilitySets', capabilities: few },
      { do: 'setCapabilitySets', capabilities: many },
    );
    const held = maskOf(few.permitted);
    expect(masks).toMatchObject({ permitted: held, effective: held, inheritable: held, ambient: 0n });
  });

  test('task 3: ambient capabilities are raised, and those from before are gone', async () => {
    const names = ['CAP_KILL', 'CAP_CHOWN', 'CAP_NET_RAW'];
    const all = { permitted: names, effective: names, inheritable: names };
    const first: Step = { do: 'setCapabilitySets', capabilities: { ...all, ambient: ['CAP_KILL', 'CAP_CHOWN'] } };
    expect((await masksAfter(first)).ambient).toBe(maskOf(['CAP_KILL', 'CAP_CHOWN']));
    const second: Step = { do: 'setCapabilitySets', capabilities: { ...all, ambient: ['CAP_NET_RAW'] } };
    expect((await masksAfter(first, second)).ambient).toBe(maskOf(['CAP_NET_RAW']));
  });

  test('task 3: what is held until the exec can be used, and is not handed on', async () => {
    const capabilities = { permitted: ['CAP_KILL'], effective: ['CAP_KILL'] };
    const masks = await masksAfter({ do: 'setCapabilitySets', capabilities, untilExec: ['CAP_SYS_ADMIN'] });
    const both = maskOf(['CAP_KILL', 'CAP_SYS_ADMIN']);
    expect(masks).toMatchObject({ permitted: both, effective: both, inheritable: 0n, ambient: 0n });
  });
});

/** A filter of the judge's making that answers EPERM to some calls. */
function forbid(...names: string[]): ConfineRequest['filter'] {
  const calls = judge.numbers(...names).map((number) => ({ number, rules: [{ conditions: [], answer: errno(1) }] }));
  const program = assembleFilter([{ arch: NATIVE, calls, otherwise: [{ from: 0, answer: ALLOW }] }], ALLOW);
  return { program: Uint8Array.from(encode(program)), flags: 0 };
}

const root = { uid: 0, gid: 0, groups: [] };
const confine = (change: Partial<ConfineRequest> = {}): Step => ({
  do: 'confine',
  confinement: { capabilities: {}, noNewPrivileges: false, filter: null, user: root, ...change },
});
/** All five sets the same. */
const five = <T>(each: T) => Object.fromEntries(Object.keys(judge.sets).map((set) => [set, each]));

describe('in one order', () => {
  test('task 4: an ordinary user has exactly what it is given, also after its exec', async () => {
    judge.needManyIds(subject);
    const names = ['CAP_NET_BIND_SERVICE', 'CAP_KILL'];
    const user = { uid: 1000, gid: 1001, groups: [1002, 1003] };
    const pid = await judge.running(subject, confine({ capabilities: five(names), user }));
    expect(masksOf(pid)).toEqual(five(maskOf(names)));
    const [uids, gids] = ['uid', 'gid'].map((kind) => idMap(subject.pid, kind as 'uid')[0]!.hostID);
    const fields = status(pid);
    expect(fields.Uid?.split(/\s+/)).toEqual(Array(4).fill(String(uids! + 1000)));
    expect(fields.Gid?.split(/\s+/)).toEqual(Array(4).fill(String(gids! + 1001)));
    expect(fields.Groups?.trim().split(/\s+/)).toEqual([1002, 1003].map((gid) => String(gids! + gid)));
  });

  test('task 4: root has no more than the bounding set', async () => {
    const names = some(everyName, 5);
    const capabilities = { bounding: names, permitted: names, effective: names };
    const masks = masksOf(await judge.running(subject, confine({ capabilities })));
    const held = maskOf(names) & own();
    expect(masks).toEqual({ bounding: held, permitted: held, effective: held, inheritable: 0n, ambient: 0n });
  });

  test('task 4: no_new_privs is set when it is asked for, and only then', async () => {
    for (const noNewPrivileges of [true, false])
      expect(status(await judge.running(subject, confine({ noNewPrivileges }))).NoNewPrivs).toBe(
        noNewPrivileges ? '1' : '0',
      );
  });

  test('task 4: a filter needs no capability where no_new_privs is set', async () => {
    const pid = await judge.stopped(subject, confine({ noNewPrivileges: true, filter: forbid('mkdir') }));
    expect(status(pid)).toMatchObject({ Seccomp: '2', NoNewPrivs: '1' });
    expect(masksOf(pid).permitted, 'what the child holds').toBe(0n);
    await subject.call('goOn');
  });

  test('task 4: without no_new_privs the program has a filter, and not the capability that set it', async () => {
    const names = ['CAP_KILL', 'CAP_CHOWN'];
    const capabilities = { bounding: names, permitted: names, effective: names };
    const pid = await judge.running(subject, confine({ capabilities, filter: forbid('mkdir') }));
    expect(status(pid)).toMatchObject({ Seccomp: '2', NoNewPrivs: '0' });
    expect(masksOf(pid).permitted.toString(16)).toBe(maskOf(names).toString(16));
  });

  test('task 4: the filter may forbid every call that was needed before it', async () => {
    const filter = forbid('prctl', 'capset', 'capget', 'setgroups', 'setresgid', 'setresuid', 'seccomp');
    for (const noNewPrivileges of [true, false]) {
      const pid = await judge.running(subject, confine({ noNewPrivileges, filter }));
      expect(status(pid)).toMatchObject({ Seccomp: '2', NoNewPrivs: noNewPrivileges ? '1' : '0' });
    }
  });
});

const always = (number: number, answer: number) => ({ number, rules: [{ conditions: [], answer }] });
const X32 = 0x40000000;
const assembled = async (entries: FilterEntry[], foreign: number) =>
  judge.checked(await subject.call('instructions', { entries, foreign }));

describe('a filter by hand', () => {
  test('task 5: each call has the answer of its rule, and every other one the default', async () => {
    for (const fallback of [errno(1), ALLOW, 0x80000000]) {
      const numbers = [
        0,
        ...some(
          Array.from({ length: 400 }, (_, index) => index + 1),
          40,
        ),
      ];
      const calls = numbers.map((number) => always(number, errno(randomInt(1, 4095))));
      const program = await assembled([{ arch: NATIVE, calls, otherwise: [{ from: 0, answer: fallback }] }], 0);
      for (const number of [...Array(420).keys(), 0x3fffffff]) {
        const wanted = calls.find((call) => call.number === number)?.rules[0]?.answer ?? fallback;
        expect(decide(program, { nr: number }), `the answer to call ${number}`).toBe(wanted);
      }
    }
  });

  test('task 5: a call by an entry that is not listed is foreign, whatever its number', async () => {
    const calls = [always(83, ALLOW), always(0, ALLOW)];
    const program = await assembled([{ arch: NATIVE, calls, otherwise: [{ from: 0, answer: ALLOW }] }], errno(77));
    for (const arch of [0x40000003, 0x40000028, 0xc0000015, 0])
      for (const nr of [0, 39, 83, 300])
        expect(decide(program, { arch, nr }), `arch 0x${arch.toString(16)}`).toBe(errno(77));
    expect(decide(program, { nr: 83 })).toBe(ALLOW);
  });

  test('task 5: a range of numbers has an answer of its own, as those of x32 have', async () => {
    const otherwise = [
      { from: 0, answer: ALLOW },
      { from: 500, answer: errno(38) },
      { from: X32, answer: errno(1) },
      { from: 0xffffffff, answer: errno(38) },
    ];
    const program = await assembled(
      [{ arch: NATIVE, calls: [always(2, errno(13)), always(X32 + 3, errno(14))], otherwise }],
      0,
    );
    const wanted: [number, number][] = [
      [2, errno(13)],
      [499, ALLOW],
      [500, errno(38)],
      [X32 - 1, errno(38)],
      [X32, errno(1)],
      [X32 + 2, errno(1)],
      [X32 + 3, errno(14)],
      [0xfffffffe, errno(1)],
      [0xffffffff, errno(38)],
    ];
    for (const [nr, answer] of wanted) expect(decide(program, { nr }), `call 0x${nr.toString(16)}`).toBe(answer);
  });

  test('task 5: a long list fits in the reach of the jumps', async () => {
    const entry = (arch: number, shift: number): FilterEntry => ({
      arch,
      calls: Array.from({ length: 400 }, (_, number) => always(number, errno(number + shift))),
      otherwise: [{ from: 0, answer: errno(1) }],
    });
    const program = await assembled([entry(NATIVE, 100), entry(0x40000003, 1000), entry(0x40000028, 2000)], ALLOW);
    for (const [arch, shift] of [
      [NATIVE, 100],
      [0x40000003, 1000],
      [0x40000028, 2000],
    ] as const) {
      for (const nr of [0, 127, 128, 255, 256, 399]) expect(decide(program, { arch, nr })).toBe(errno(nr + shift));
      expect(decide(program, { arch, nr: 400 })).toBe(errno(1));
    }
    expect(decide(program, { arch: 5, nr: 1 })).toBe(ALLOW);
  });

  test('task 5: the kernel refuses the call, with the errno of the rule', async () => {
    const [number, words] = some(
      [
        [18, /cross-device/i],
        [28, /no space/i],
        [122, /quota/i],
      ] as const,
      1,
    )[0]!;
    const calls = judge.numbers('mkdir', 'mkdirat').map((nr) => always(nr, errno(number)));
    const place = `${subject.scratch}/${nonce()}`;
    const entries = [{ arch: NATIVE, calls, otherwise: [{ from: 0, answer: ALLOW }] }];
    const pid = await judge.script(subject, `mkdir ${place} 2>${place}.said`, { do: 'filter', entries, foreign: 0 });
    expect(status(pid).Seccomp, 'the program is under a filter').toBe('2');
    expect(existsSync(subject.outsidePath(place)), 'the directory was made all the same').toBe(false);
    expect(readFileSync(subject.outsidePath(`${place}.said`), 'utf8')).toMatch(words);
  });
});

const FULL = 0xffffffffffffffffn;
const equal = (index: number, value: bigint, change: Partial<ArgumentTest> = {}): ArgumentTest => ({
  index,
  mask: FULL,
  test: 'equal',
  value,
  holds: true,
  ...change,
});
/** A filter with one call, 7, that has one rule with these conditions. */
const conditional = (...conditions: ArgumentTest[]) =>
  assembled(
    [
      {
        arch: NATIVE,
        calls: [{ number: 7, rules: [{ conditions, answer: errno(9) }] }],
        otherwise: [{ from: 0, answer: ALLOW }],
      },
    ],
    0,
  );
const withArgument = (index: number, argument: bigint) =>
  Array.from({ length: 6 }, (_, each) => (each === index ? argument : randomBytes(8).readBigUInt64LE()));

/** Where comparisons of two halves go wrong: at and around the value, with its halves changed one by one. */
function near(value: bigint): bigint[] {
  const high = 1n << 32n;
  return [
    value,
    value + 1n,
    value - 1n,
    value + high,
    value - high,
    value ^ high,
    value & 0xffffffffn,
    value << 32n,
    0n,
    FULL,
  ].map((each) => BigInt.asUintN(64, each));
}

async function compare(condition: ArgumentTest): Promise<void> {
  const { index, mask, test, value, holds } = condition;
  const program = await conditional(condition);
  for (const argument of near(value)) {
    const fits = (test === 'equal' ? (argument & mask) === value : (argument & mask) > value) === holds;
    const words = `argument ${index} is 0x${argument.toString(16)}; ${test} 0x${value.toString(16)}, mask 0x${mask.toString(16)}, holds ${holds}`;
    expect(decide(program, { nr: 7, args: withArgument(index, argument) }), words).toBe(fits ? errno(9) : ALLOW);
  }
  expect(decide(program, { nr: 8, args: withArgument(index, value) }), 'another call').toBe(ALLOW);
}

const words = [0n, 1n, 0x7fffffffn, 0xffffffffn, 0x100000000n, 0x500000007n, 0x8000000000000000n, FULL - 1n];

describe('conditions on arguments', () => {
  test('task 6: an argument is compared in all of its 64 bits', async () => {
    for (const value of words) await compare(equal(randomInt(6), value));
  });

  test('task 6: greater is unsigned, and the high half decides unless it is equal', async () => {
    for (const value of words) await compare(equal(randomInt(6), value, { test: 'greater' }));
  });

  test('task 6: what is to be false fits when it is', async () => {
    for (const value of words)
      for (const test of ['equal', 'greater'] as const)
        await compare(equal(randomInt(6), value, { test, holds: false }));
  });

  test('task 6: bits outside of the mask do not count', async () => {
    for (const mask of [0x7e020000n, 0xffffffffn, 0xf00000000n, 0x1000000010n])
      for (const value of [0n, mask, mask & 0x6020000000n])
        for (const holds of [true, false]) await compare(equal(0, value, { mask, holds }));
  });

  test('task 6: a rule needs all of its conditions, and the first that fits counts', async () => {
    const rules = [
      { conditions: [equal(0, 1n), equal(1, 2n)], answer: errno(11) },
      { conditions: [equal(1, 2n)], answer: errno(12) },
      { conditions: [equal(0, 5n), equal(2, 6n), equal(3, 7n)], answer: errno(13) },
    ];
    const program = await assembled(
      [
        {
          arch: NATIVE,
          calls: [{ number: 7, rules }, always(8, errno(20))],
          otherwise: [{ from: 0, answer: errno(1) }],
        },
      ],
      0,
    );
    const wanted: [bigint[], number][] = [
      [[1n, 2n], errno(11)],
      [[0n, 2n], errno(12)],
      [[1n, 3n], errno(1)],
      [[5n, 0n, 6n, 7n], errno(13)],
      [[5n, 0n, 6n, 8n], errno(1)],
      [[5n, 2n, 6n, 7n], errno(12)],
    ];
    for (const [args, answer] of wanted) expect(decide(program, { nr: 7, args }), `arguments ${args}`).toBe(answer);
    expect(decide(program, { nr: 8 })).toBe(errno(20));
  });

  test('task 6: the kernel refuses a call for its argument alone', async () => {
    const [forbidden, permitted] = some([10, 12, 18, 23, 28], 2) as [number, number];
    const rules = [{ conditions: [equal(1, BigInt(forbidden))], answer: errno(122) }];
    const calls = judge.numbers('kill').map((number) => ({ number, rules }));
    const file = `${subject.scratch}/${nonce()}`;
    const kill = (signal: number) => `trap : ${signal}; kill -${signal} $$ 2>>${file}; echo "${signal}: $?" >>${file}`;
    const entries = [{ arch: NATIVE, calls, otherwise: [{ from: 0, answer: ALLOW }] }];
    await judge.script(subject, `${kill(permitted)}; ${kill(forbidden)}`, { do: 'filter', entries, foreign: 0 });
    const said = await eventually(() => {
      const text = readFileSync(subject.outsidePath(file), 'utf8');
      return text.includes(`${forbidden}: `) ? text : null;
    }, 'The program did not come to its second kill.');
    expect(said).toMatch(new RegExp(`^${permitted}: 0\n.*quota.*\n${forbidden}: 1\n$`, 'is'));
  });
});
