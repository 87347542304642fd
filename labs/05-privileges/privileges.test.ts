import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encode, LOAD } from '../../engine/kernel/classic-bpf.ts';
import { idMap } from '../../grader/harness/evidence.ts';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import { filterTests } from './filters.cases.ts';
import type { Step } from './privileges.driver.ts';
import * as judge from './privileges.judge.ts';
import { everyName, expectFilters, expectSets, expectStatus, maskOf, namesIn, setNames } from './privileges.judge.ts';

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject({ noNewPrivileges: false });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const LAST_OF_THE_FIRST_WORD = 31;
const beyond = everyName.slice(LAST_OF_THE_FIRST_WORD + 1);

describe('names and bits', () => {
  test('task 1: a capability is one bit, also beyond the 32nd', async () => {
    const drawn = draw.some(everyName, draw.int(5, 20));
    for (const names of [[], [draw.pick(everyName)], [draw.pick(beyond)], beyond, drawn, [...everyName]]) {
      const mask = await subject.call('capabilityMask', names);
      expect(typeof mask, `the type of what capabilityMask([${names}]) returned`).toBe('bigint');
      expect(namesIn(mask as bigint), `the bits that capabilityMask returned, by name`).toEqual(namesIn(maskOf(names)));
      expect(mask, names.join(' ')).toBe(maskOf(names));
    }
    const twice = draw.pick(everyName);
    expect(await subject.call('capabilityMask', [twice, twice]), 'a name twice in the list').toBe(maskOf([twice]));
  });

  test('task 1: an unknown name is rejected by name', async () => {
    const known = draw.pick(everyName);
    const unknown = [`CAP_${draw.word(8).toUpperCase()}`, known.slice(4).toLowerCase(), known.toLowerCase()];
    for (const name of unknown)
      await judge.expectError(
        subject.call('capabilityMask', [draw.pick(everyName), name]),
        `The unknown name ${name}`,
        name,
      );
    expect(await subject.call('capabilityMask', [known]), known).toBe(maskOf([known]));
  });

  test('task 1: the five sets are read out of a status', async () => {
    const drawn = Object.fromEntries(setNames.map((set) => [set, draw.some(everyName, draw.int(1, 30))]));
    // A capability of a newer kernel.
    const unnamed = 1n << BigInt(draw.int(everyName.length, 62));
    const hex = (set: string) => (maskOf(drawn[set]!) | unnamed).toString(16).padStart(16, '0');
    const lines = setNames.map((set) => `${judge.lines[set]}:\t${hex(set)}\n`).join('');
    const text = `Name:\tCapEff\nPid:\t${draw.int(2, 9999)}\n${lines}NoNewPrivs:\t0\n`;
    const wanted = Object.fromEntries(setNames.map((set) => [set, namesIn(maskOf(drawn[set]!))]));
    expect(await subject.call('readCapabilities', text), 'what readCapabilities returned').toEqual(wanted);
  });
});

/** What the subject may give, as a mask. */
const own = () => judge.masksOf(subject.pid).bounding;
const ownBeyond = () => namesIn(own()).filter((name) => beyond.includes(name));
const few = () => judge.few(subject);
const setsAfter = (wanted: judge.Wanted, ...steps: Step[]) => judge.setsAfter(subject, wanted, ...steps);

describe('the bounding set', () => {
  test('task 2: what is not kept is gone, and the rest is there', async () => {
    for (const keep of [draw.some(everyName, draw.int(4, 12)), [], draw.some(ownBeyond(), 2)]) {
      const { pid } = await judge.start(subject, {}, { do: 'dropBoundingSet', keep });
      expectSets(pid, { bounding: maskOf(keep) & own() }, `after dropBoundingSet([${keep}])`);
      await subject.call('goOn');
    }
  });

  test("task 2: root's exec does not bring it back", async () => {
    const keep = draw.some(namesIn(own()), draw.int(1, 6));
    const pid = await judge.running(subject, {}, { do: 'dropBoundingSet', keep });
    expectSets(pid, { permitted: maskOf(keep), bounding: maskOf(keep) }, 'after its exec');
  });

  test('task 2: a refusal is an error, except at the end of the numbers', async () => {
    const keep = draw.some(namesIn(own()), 5);
    const { pid } = await judge.start(subject, {}, { do: 'dropBoundingSet', keep });
    expectSets(pid, { bounding: maskOf(keep) }, 'with CAP_SETPCAP, where nothing is refused');
    await subject.call('goOn');
    const poor = own() & ~maskOf(['CAP_SETPCAP']);
    const begin: Step = { do: 'begin with', permitted: poor, effective: poor, inheritable: 0n };
    const refused = judge.start(subject, {}, begin, { do: 'dropBoundingSet', keep });
    await judge.expectError(refused, 'dropBoundingSet without CAP_SETPCAP, where prctl answers EPERM,');
  });
});

describe('the sets of a thread', () => {
  test('task 3: permitted, effective and inheritable are as asked for', async () => {
    const [permitted, others] = [draw.some(namesIn(own()), 8), draw.some(namesIn(own()), 3)];
    const capabilities = {
      permitted,
      effective: permitted.slice(3),
      inheritable: [...permitted.slice(0, 2), ...others],
    };
    await setsAfter(
      {
        permitted: maskOf(permitted),
        effective: maskOf(capabilities.effective),
        inheritable: maskOf(capabilities.inheritable),
        ambient: 0n,
        bounding: own(),
      },
      { do: 'setCapabilitySets', capabilities },
    );
    const empty = { permitted: 0n, effective: 0n, inheritable: 0n, ambient: 0n };
    await setsAfter(empty, { do: 'setCapabilitySets', capabilities: {} });
  });

  test('task 3: what the thread does not have is left out without an error', async () => {
    const few = draw.some(namesIn(own()), 4);
    const many = { permitted: [...everyName], effective: [...everyName], inheritable: [...everyName] };
    const held = maskOf(few);
    const all = { permitted: held, effective: held, inheritable: held, ambient: 0n };
    await setsAfter(all, judge.beginWith(few), { do: 'setCapabilitySets', capabilities: many });
    // Nor can anything be effective that is not permitted from now on.
    const [one, ...rest] = few as [string, ...string[]];
    const capabilities = { permitted: [one], effective: [one, ...rest] };
    const single = { permitted: maskOf([one]), effective: maskOf([one]), inheritable: 0n };
    await setsAfter(single, judge.beginWith(few), { do: 'setCapabilitySets', capabilities });
  });

  test('task 3: ambient capabilities are raised, and earlier ones are gone', async () => {
    const names = [...new Set([...draw.some(namesIn(own()), 4), ...draw.some(ownBeyond(), 2)])];
    const all = { permitted: names, effective: names, inheritable: names };
    const [before, after] = [draw.some(names.slice(0, 3), 2), draw.some(names.slice(3))];
    const raise = (ambient: string[]): Step => ({ do: 'setCapabilitySets', capabilities: { ...all, ambient } });
    await setsAfter({ ambient: maskOf(before) }, raise(before));
    await setsAfter({ ambient: maskOf(after) }, raise(before), raise(after));
  });

  test('task 3: an ambient capability that is not permitted or not inheritable is left out', async () => {
    const names = draw.some(namesIn(own()), 6);
    const [permitted, inheritable] = [names.slice(0, 4), names.slice(2, 6)];
    const capabilities = { permitted, inheritable, effective: permitted, ambient: [...everyName] };
    await setsAfter(
      { permitted: maskOf(permitted), inheritable: maskOf(inheritable), ambient: maskOf(names.slice(2, 4)) },
      { do: 'setCapabilitySets', capabilities },
    );
  });

  test('task 3: what is held until the exec is effective, and is not handed on', async () => {
    const [held, ...names] = draw.some(namesIn(own()), 4) as [string, ...string[]];
    const capabilities = { permitted: names, effective: names, inheritable: names, ambient: names };
    const both = maskOf([held, ...names]);
    await setsAfter(
      { permitted: both, effective: both, inheritable: maskOf(names), ambient: maskOf(names) },
      { do: 'setCapabilitySets', capabilities, untilExec: [held] },
    );
    // As far as the thread has it.
    const some = maskOf(names);
    const without = { permitted: some, effective: some, inheritable: some };
    await setsAfter(without, judge.beginWith(names), { do: 'setCapabilitySets', capabilities, untilExec: [held] });
  });
});

describe('in one order', () => {
  test('task 4: an ordinary user has exactly what it is given, also after its exec', async () => {
    judge.needManyIds();
    const names = few();
    const [uid, gid, ...groups] = draw.some(
      Array.from({ length: 3000 }, (_, id) => id + 1),
      4,
    ) as [number, number];
    const user = { uid, gid, groups };
    const pid = await judge.running(subject, {}, judge.confine({ capabilities: judge.five(names), user }));
    expectSets(pid, judge.five(maskOf(names)), 'after its exec');
    const [uids, gids] = ['uid', 'gid'].map((kind) => idMap(subject.pid, kind as 'uid')[0]!.hostID) as [number, number];
    const sorted = groups.sort((a, b) => a - b).map((group) => gids + group);
    const fourfold = (id: number) => Array(4).fill(id).join(' ');
    const ids = { Uid: fourfold(uids + uid), Gid: fourfold(gids + gid), Groups: sorted.join(' ') };
    expectStatus(pid, ids, 'after its exec, with the ids of this machine');
  });

  test('task 4: root has no more than the bounding set', async () => {
    const names = few();
    const child = await judge.start(subject, {}, judge.confine({ capabilities: judge.forRoot(names) }));
    const wanted = { ...judge.five(maskOf(names)), inheritable: 0n, ambient: 0n };
    expectSets(child.pid, wanted, 'before its exec; it has no filter, so confine holds nothing for one');
    await subject.call('goOn');
    expectSets(
      await judge.running(subject, {}, judge.confine({ capabilities: judge.forRoot(names) })),
      wanted,
      'after its exec',
    );
    const nothing = await judge.running(subject, {}, judge.confine());
    expectSets(nothing, judge.five(0n), 'after its exec, when `capabilities` is {}: an absent set is empty');
  });

  test('task 4: no_new_privs is set only when it is asked for', async () => {
    for (const noNewPrivileges of draw.some([true, false])) {
      const pid = await judge.running(subject, {}, judge.confine({ noNewPrivileges }));
      expectStatus(pid, { NoNewPrivs: noNewPrivileges ? '1' : '0' }, `for ${noNewPrivileges}`);
      expectFilters(subject, pid, 0, `for filter null and noNewPrivileges ${noNewPrivileges}`);
    }
  });

  test('task 4: with no_new_privs a filter needs no capability', async () => {
    const change = { noNewPrivileges: true, filter: judge.forbid('mkdir') };
    const { pid } = await judge.start(subject, {}, judge.confine(change));
    expectStatus(pid, { NoNewPrivs: '1' }, 'before its exec');
    expectFilters(subject, pid, 1, 'before its exec');
    expectSets(pid, { permitted: 0n, effective: 0n }, 'before its exec, with nothing asked for');
    await subject.call('goOn');
  });

  test('task 4: without no_new_privs the program has a filter, and not the capability that set it', async () => {
    const names = few();
    const change = { capabilities: judge.forRoot(names), filter: judge.forbid('mkdir') };
    const pid = await judge.running(subject, {}, judge.confine(change));
    expectStatus(pid, { NoNewPrivs: '0' }, 'after its exec');
    expectFilters(subject, pid, 1, 'after its exec');
    expectSets(pid, { permitted: maskOf(names), bounding: maskOf(names) }, 'after its exec');
  });

  test('task 4: the filter may forbid every call that was needed before it', async () => {
    const filter = judge.forbid('prctl', 'capset', 'capget', 'setgroups', 'setresgid', 'setresuid', 'seccomp');
    for (const noNewPrivileges of draw.some([true, false])) {
      const pid = await judge.running(subject, {}, judge.confine({ noNewPrivileges, filter }));
      expectStatus(pid, { NoNewPrivs: noNewPrivileges ? '1' : '0' }, 'after its exec');
      expectFilters(subject, pid, 1, 'after its exec');
    }
  });

  test('task 4: beforeFilter runs once, as the user, with the sets cut and before the filter', async () => {
    const names = few();
    const [first] = idMap(subject.pid, 'uid');
    const groups = judge.groups();
    const uid = groups === null ? 0 : draw.int(1, 3000);
    const change = {
      capabilities: judge.five(names),
      user: { uid, gid: uid, groups },
      filter: judge.forbid('mkdir'),
      noNewPrivileges: draw.boolean(),
    };
    const child = await judge.start(subject, { stops: ['changeUser', 'beforeFilter', 'exec'] }, judge.confine(change));
    expect(child.at, 'the first of changeUser, beforeFilter and exec that the child comes to').toBe('changeUser');
    await judge.goOn(subject, child, 'beforeFilter');
    const ids = Array(4)
      .fill(first!.hostID + uid)
      .join(' ');
    expectStatus(child.pid, { Uid: ids }, 'in beforeFilter, with the ids of this machine');
    expectFilters(subject, child.pid, 0, 'in beforeFilter');
    const held = maskOf(change.noNewPrivileges ? names : [...names, 'CAP_SYS_ADMIN']);
    const sets = { ...judge.five(maskOf(names)), permitted: held, effective: held };
    expectSets(child.pid, sets, `in beforeFilter, ${change.noNewPrivileges ? 'with' : 'without'} no_new_privs`);
    await judge.goOn(subject, child, 'exec');
    expectStatus(child.pid, { Uid: ids }, 'before its exec');
    expectFilters(subject, child.pid, 1, 'before its exec');
    await subject.call('goOn');
  });

  test('task 4: an error of a step keeps the program from running', async () => {
    const fine = { capabilities: judge.forRoot(few()), filter: judge.forbid('mkdir'), noNewPrivileges: draw.boolean() };
    await judge.running(subject, {}, judge.confine(fine));
    for (const place of ['changeUser', 'beforeFilter'] as const) {
      const failure = { in: place, message: `${place} refuses: ${draw.word(9)}` };
      const started = judge.start(subject, { stops: [] }, judge.confine({ ...fine, failure }));
      await judge.expectError(started, `What ${place} throws`, failure.message);
    }
    const noReturn = { program: Uint8Array.from(encode([{ code: LOAD, jt: 0, jf: 0, k: 0 }])), flags: 0 };
    const unknownFlag = { ...fine.filter, flags: 1 << 30 };
    for (const filter of draw.some([noReturn, unknownFlag])) {
      const words = `a filter that the kernel refuses (${filter === noReturn ? 'its last instruction is not a RET' : 'flag 1 << 30'})`;
      await judge.expectError(judge.start(subject, { stops: [] }, judge.confine({ ...fine, filter })), words);
    }
  });
});

filterTests(() => subject);
