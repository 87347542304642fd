import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pidsIn } from '../../engine/runtime/cgroups/files.ts';
import { usageOf as referenceUsage } from '../../engine/runtime/cgroups.ts';
import type { CgroupsPlank, GroupDirectories, Limits, Setting, Usage } from '../../engine/runtime/contract/cgroups.ts';
import { type Delegated, delegateCgroups } from '../../grader/harness/delegate.ts';
import { childOf, eventually, isRunning, nonce, openDescriptors, status } from '../../grader/harness/evidence.ts';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from '../../grader/harness/files.ts';
import { draw } from '../../grader/harness/random.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';
import { traceSyscalls } from '../../grader/harness/trace-syscalls.ts';

const MEBIBYTE = 1 << 20;
/** Milliseconds for what the kernel does in a moment, on a machine that is busy elsewhere. */
const PATIENCE = 30_000;

let subject: Subject;
beforeAll(async () => {
  subject = await openSubject({ cgroups: true, patience: 20_000 });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

/** A group that the plank has made, as the subject sees it (`directories`) and as the judge does (`path`). */
interface Group {
  given: Delegated;
  name: string;
  directories: GroupDirectories;
  /** A file of the group on this machine. */
  path(controller: string, file: string): string;
  /** What stands in it. */
  read(controller: string, file: string): string;
}

/** @param yours what the module decides in this test; the rest is the engine's, so that one task is not red for another. */
async function newGroup(yours: (keyof CgroupsPlank)[], name = `/${nonce()}`): Promise<Group> {
  await subject.call('judging', yours);
  const given = delegateCgroups(subject);
  const trees = given.trees.map(({ controllers, inside }) => ({ controllers, mountPoint: inside }));
  const directories = (await subject.call('makeGroups', given.version, trees, name)) as GroupDirectories;
  const path = (controller: string, file: string) => {
    const tree = given.trees.find(({ controllers }) => given.version === 2 || controllers.includes(controller));
    return join(tree?.outside ?? '/nowhere', name, file);
  };
  return {
    given,
    name,
    directories,
    path,
    read: (controller, file) => readFileSync(path(controller, file), 'utf8').trim(),
  };
}

/** Start a shell in the group. @returns its pid on this machine. */
async function startIn(group: Group, script: string): Promise<number> {
  const { given, directories } = group;
  const before = status(subject.pid).NSpid!;
  const asked = { args: ['/bin/sh', '-c', script], env: ['PATH=/usr/bin:/bin'] };
  const inner = await subject.call('startIn', given.version, directories, asked).catch((error: Error) => error);
  const tree = given.trees.find(({ outside }) => pidsIn(join(outside, group.name)).includes(subject.pid));
  if (tree !== undefined)
    throw new Error(
      `enter() should move the child that calls it; it has moved its parent (pid ${before.split(/\s+/).at(-1)}), which is ` +
        `in ${tree.inside}${group.name} now. process.pid is the parent's number also in the child: write 0.`,
    );
  if (inner instanceof Error) throw inner;
  return childOf(subject, inner as number);
}

const limit = ({ given, directories }: Group, limits: Limits) =>
  subject.call('limit', given.version, directories, limits);
const kill = ({ given, directories }: Group) => subject.call('killGroup', given.version, directories);

/** The judge's own hand: what has been shown need not run on. */
function end(group: Group): void {
  for (const pid of pidsIn(group.path('pids', '.')))
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // ESRCH: it has ended by itself.
    }
}

/** A wait that nothing but a signal ends; `read` is not a program of its own. */
const WAIT = 'mkfifo /tmp/$$; read x </tmp/$$';

/** A list of CPUs or memory nodes. */
const drawnList = () => draw.pick(['0', '0-1', '1,3', '2-4,7']);

describe('the words of the limits', () => {
  const settings = async (version: 1 | 2, limits: Limits) =>
    ((await subject.call('settingsFor', version, limits)) as Setting[]).map(
      ({ controller, file, value }) => `${controller}: ${file} ${value}`,
    );

  function drawnLimits() {
    const memory = { limit: draw.int(16, 999) * MEBIBYTE, swap: 0, reservation: draw.int(1, 15) * MEBIBYTE };
    memory.swap = memory.limit + draw.int(1, 99) * 4096;
    const cpu = { shares: draw.int(2, 262_144), quota: draw.int(1000, 90_000), period: draw.int(1000, 1_000_000) };
    return { memory, cpu: { ...cpu, cpus: drawnList(), mems: drawnList() }, pids: { limit: draw.int(1, 9999) } };
  }

  test('task 1: on version 1 each limit has its file and its value', async () => {
    const limits = drawnLimits();
    const { memory, cpu, pids } = limits;
    const said = await settings(1, limits);
    expect(said.toSorted()).toEqual([
      `cpu: cpu.cfs_period_us ${cpu.period}`,
      `cpu: cpu.cfs_quota_us ${cpu.quota}`,
      `cpu: cpu.shares ${cpu.shares}`,
      `cpuset: cpuset.cpus ${cpu.cpus}`,
      `cpuset: cpuset.mems ${cpu.mems}`,
      `memory: memory.limit_in_bytes ${memory.limit}`,
      `memory: memory.memsw.limit_in_bytes ${memory.swap}`,
      `memory: memory.soft_limit_in_bytes ${memory.reservation}`,
      `pids: pids.max ${pids.limit}`,
    ]);
    const files = said.map((line) => line.split(' ')[1]);
    expect(
      files.indexOf('memory.limit_in_bytes'),
      `the place of memory.limit_in_bytes in ${files.join(', ')}; the sum can never be below memory`,
    ).toBeLessThan(files.indexOf('memory.memsw.limit_in_bytes'));
  });

  test('task 1: on version 2 each limit has its file and its value', async () => {
    const limits = drawnLimits();
    const { memory, cpu, pids } = limits;
    const weightOf = (shares: number) => 1 + Math.floor(((shares - 2) * 9_999) / 262_142);
    expect((await settings(2, limits)).toSorted()).toEqual([
      `cpu: cpu.max ${cpu.quota} ${cpu.period}`,
      `cpu: cpu.weight ${weightOf(cpu.shares)}`,
      `cpuset: cpuset.cpus ${cpu.cpus}`,
      `cpuset: cpuset.mems ${cpu.mems}`,
      `memory: memory.low ${memory.reservation}`,
      `memory: memory.max ${memory.limit}`,
      `memory: memory.swap.max ${memory.swap - memory.limit}`,
      `pids: pids.max ${pids.limit}`,
    ]);
    for (const shares of [2, 1024, 262_144, draw.int(2, 262_144)])
      expect(await settings(2, { cpu: { shares } }), `${shares} shares`).toEqual([
        `cpu: cpu.weight ${weightOf(shares)}`,
      ]);
    const { quota, period } = cpu;
    expect(await settings(2, { cpu: { quota } }), 'a quota alone').toEqual([`cpu: cpu.max ${quota} 100000`]);
    expect(await settings(2, { cpu: { period } }), 'a period alone').toEqual([`cpu: cpu.max max ${period}`]);
    const { limit, swap } = memory;
    const swapFor = async (wanted: Limits['memory']) =>
      (await settings(2, { memory: wanted })).filter((line) => line.includes('swap'));
    expect(await swapFor({ swap }), 'swap without a limit of memory').toEqual([`memory: memory.swap.max ${swap}`]);
    expect(await swapFor({ limit: -1, swap }), 'memory without limit').toEqual([`memory: memory.swap.max ${swap}`]);
    expect(await swapFor({ limit, swap: -1 }), 'swap: -1').toEqual(['memory: memory.swap.max max']);
    expect(await swapFor({ limit, swap: limit }), 'as much as memory').toEqual(['memory: memory.swap.max 0']);
  });

  test('task 1: an absent limit is not written, and each file has its own word for "unlimited"', async () => {
    const limit = draw.int(1, 999) * MEBIBYTE;
    for (const version of [1, 2] as const) {
      expect(await settings(version, {})).toEqual([]);
      expect(await settings(version, { memory: {}, cpu: {} })).toEqual([]);
      const file = version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
      expect(await settings(version, { memory: { limit } })).toEqual([`memory: ${file} ${limit}`]);
      expect(await settings(version, { pids: { limit: 0 } })).toEqual(['pids: pids.max max']);
      expect(await settings(version, { pids: { limit: -1 } })).toEqual(['pids: pids.max max']);
    }
    const none = { memory: { limit: -1, swap: -1 }, cpu: { quota: -1 } };
    expect((await settings(1, none)).toSorted()).toEqual([
      'cpu: cpu.cfs_quota_us -1',
      'memory: memory.limit_in_bytes -1',
      'memory: memory.memsw.limit_in_bytes -1',
    ]);
    expect((await settings(2, none)).toSorted()).toEqual([
      'cpu: cpu.max max 100000',
      'memory: memory.max max',
      'memory: memory.swap.max max',
    ]);
  });

  test('task 1: the kernel accepts the limits', async () => {
    const group = await newGroup(['settingsFor']);
    const v1 = group.given.version === 1;
    const bytes = draw.int(16, 99) * MEBIBYTE;
    const quota = draw.int(20, 90) * 1000;
    const processes = draw.int(5, 999);
    await limit(group, {
      memory: { limit: bytes, swap: bytes + MEBIBYTE },
      cpu: { quota },
      pids: { limit: processes },
    });
    const kernel = {
      memory: group.read('memory', v1 ? 'memory.limit_in_bytes' : 'memory.max'),
      cpu: group.read('cpu', v1 ? 'cpu.cfs_quota_us' : 'cpu.max'),
      pids: group.read('pids', 'pids.max'),
    };
    expect(kernel, 'what the kernel has').toEqual({
      memory: String(bytes),
      cpu: v1 ? String(quota) : `${quota} 100000`,
      pids: String(processes),
    });
  });
});

describe('the group', () => {
  test('task 2: the group has its controllers, and an existing directory is used', async () => {
    const name = `/${nonce()}/deep/${nonce()}`;
    const group = await newGroup(['makeGroup'], name);
    for (const [controller, file] of [
      ['memory', 'memory.stat'],
      ['pids', 'pids.current'],
      ['cpu', 'cpu.stat'],
    ] as const)
      expect(existsSync(group.path(controller, file)), `${file} in the group`).toBe(true);
    for (const directory of Object.values(group.directories)) expect(directory.endsWith(name)).toBe(true);
    await newGroup(['makeGroup'], name);
    await newGroup(['makeGroup'], `${name}-beside`);
  });

  /**
   * Directories that are not control groups, with the one file that matters, and what is written into it, in its order.
   * @param handedDown what each directory hands down already, from the top; the group is made below the last.
   */
  async function makeOnPaper(version: 1 | 2, handedDown: string[][], wanted: string[]) {
    const inside = `${subject.scratch}/${nonce()}`;
    const outside = join(subject.outsidePath(subject.scratch), basename(inside));
    const parts = handedDown.map((_, depth) => (depth === 0 ? '' : `/${draw.word()}${depth}`));
    const paths = parts.map((_, depth) => parts.slice(0, depth + 1).join(''));
    for (const [depth, path] of paths.entries()) {
      mkdirSync(join(outside, path));
      chmodSync(join(outside, path), 0o777);
      const file = join(outside, path, HANDS_DOWN);
      writeFileSync(file, `${handedDown[depth]!.join(' ')}\n`);
      chmodSync(file, 0o666);
    }
    const path = `${paths.at(-1)}/${draw.word()}`;
    const { value, calls } = await traceSyscalls(subject, () =>
      subject.call('makeGroup', version, inside, path, wanted),
    );
    expect(value, 'the directory that makeGroup() returns').toBe(`${inside}${path}`);
    expect(existsSync(join(outside, path)), `${path} exists`).toBe(true);
    const writes = calls.filter(
      ({ call, path: written, result }) => call === 'write' && result > 0 && written.startsWith(inside),
    );
    const order = [...new Set(writes.map((write) => write.path.slice(inside.length)))];
    const added = paths.map((each, depth) => {
      const text = readFileSync(join(outside, each, HANDS_DOWN), 'utf8');
      return handedDown[depth]!.join(' ') === text.trim() ? [] : (text.match(/[+-][a-z]+/g) ?? [text]).sort();
    });
    return { order, added, files: paths.map((each) => `${each}/${HANDS_DOWN}`) };
  }

  const HANDS_DOWN = 'cgroup.subtree_control';

  test('task 2: on version 2 every directory above hands its controllers down, from the top', async () => {
    const [first, second, third] = draw.some(['memory', 'pids', 'cpu', 'io', 'cpuset']) as [string, string, string];
    // One is missing in each, since a plain file keeps what was written last and not what adds up.
    const above = [[second], [second, third], [third, second]];
    const { order, added, files } = await makeOnPaper(2, above, [first, second]);
    expect(order, 'the files that were written, in their order').toEqual(files);
    expect(added, 'what was written, from the top').toEqual(above.map(() => [`+${first}`]));
  });

  test('task 2: a controller that is handed down already is not written again, and version 1 writes nothing', async () => {
    const [first, second, third] = draw.some(['memory', 'pids', 'cpu', 'io', 'cpuset']) as [string, string, string];
    const all = [first, second, third];
    const gap = draw.int(0, 2);
    const above = Array.from({ length: 3 }, (_, depth) => (depth === gap ? [first, third] : draw.some(all)));
    const { order, added, files } = await makeOnPaper(2, above, [first, second]);
    expect(order, 'the files that were written').toEqual([files[gap]]);
    expect(added[gap], `what was written in ${files[gap]}`).toEqual([`+${second}`]);
    expect((await makeOnPaper(1, [[], [], []], [first])).order, 'the files that were written, version 1').toEqual([]);
  });
});

describe('the way in', () => {
  test('task 3: the program begins in the group, in every tree', async () => {
    const group = await newGroup(['openDoors', 'enter']);
    const pid = await startIn(group, WAIT);
    const own = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    for (const { outside, controllers } of group.given.trees) {
      const directory = join(outside, basename(Object.values(group.directories)[0]!));
      expect(
        pidsIn(directory),
        `the processes in the group of ${controllers.join(', ')} (/proc/${pid}/cgroup: ${own})`,
      ).toContain(pid);
    }
    const open = Object.values(openDescriptors(pid)).filter((file) => /tasks|cgroup/.test(file));
    expect(open, 'doors that the program still has open').toEqual([]);
  });

  test('task 3: the child writes to every door, and on version 1 the door is `tasks`', async () => {
    const { inside, outside } = await subject.workDir();
    for (const tree of ['memory', 'pids', 'cpu']) {
      mkdirSync(join(outside, tree));
      for (const file of ['tasks', 'cgroup.procs']) {
        writeFileSync(join(outside, tree, file), '');
        chmodSync(join(outside, tree, file), 0o666);
      }
    }
    const trees = ['memory', 'pids', 'cpu'].map((tree) => `${inside}/${tree}`);
    const own = status(subject.pid).NSpid!.split(/\s+/).at(-1)!;
    // Its own number says the same as 0.
    const written = (file: string) =>
      ['memory', 'pids', 'cpu'].map((tree) => {
        const text = readFileSync(join(outside, tree, file), 'utf8').trim();
        return text === own ? '0' : text;
      });
    const both = () => ({ tasks: written('tasks'), 'cgroup.procs': written('cgroup.procs') });
    await subject.call('passThrough', 1, trees);
    expect(both(), 'what is written in the files of three trees, version 1').toEqual({
      tasks: ['0', '0', '0'],
      'cgroup.procs': ['', '', ''],
    });
    await subject.call('passThrough', 2, [trees[0]]);
    expect(both(), 'the same after one more way in, version 2').toEqual({
      tasks: ['0', '0', '0'],
      'cgroup.procs': ['0', '', ''],
    });
  });

  test('task 3: if one door fails to open, all are closed', async () => {
    const group = await newGroup(['openDoors', 'enter']);
    const directories = [...new Set(Object.values(group.directories))];
    const before = Object.keys(openDescriptors(subject.pid)).length;
    const all = (await subject.call('openDoors', group.given.version, directories)) as number[];
    expect(new Set(all).size, 'the number of descriptors, one for each directory').toBe(directories.length);
    expect(Object.keys(openDescriptors(subject.pid)).length - before, 'doors that are open').toBe(directories.length);
    const withOneMissing = [...directories];
    withOneMissing.splice(draw.int(1, directories.length), 0, `/${nonce()}`);
    await expect(subject.call('openDoors', group.given.version, withOneMissing)).rejects.toMatchObject({
      code: 'ENOENT',
    });
    expect(
      Object.keys(openDescriptors(subject.pid)).length - before,
      'doors that are open after one more call, which failed',
    ).toBe(directories.length);
  });

  test('task 3: a fork bomb stops at the limit of processes', async () => {
    const group = await newGroup(['openDoors', 'enter']);
    const most = draw.int(8, 16);
    await limit(group, { pids: { limit: most } });
    const bomb = 'n=0; while [ $n -lt 60 ]; do sleep 1000 & n=$((n+1)); done; wait';
    await startIn(group, bomb);
    const refused = () => Number(/^max (\d+)$/m.exec(group.read('pids', 'pids.events'))?.[1] ?? 0);
    await eventually(() => (refused() > 0 ? true : null), 'The kernel never refused a fork in the group.', PATIENCE);
    expect(Number(group.read('pids', 'pids.current')), 'pids.current').toBeLessThanOrEqual(most);
    end(group);
  });

  test('task 3: the kernel kills a program that exceeds its memory limit', async () => {
    const group = await newGroup(['openDoors', 'enter']);
    await limit(group, { memory: { limit: 24 * MEBIBYTE, swap: 24 * MEBIBYTE } });
    const pid = await startIn(group, 'head -c 200000000 /dev/zero | tail');
    await eventually(() => (isRunning(pid) ? null : true), 'The program was not ended.', PATIENCE);
    const events = group.given.version === 1 ? 'memory.oom_control' : 'memory.events';
    const kills = Number(/^oom_kill (\d+)$/m.exec(group.read('memory', events))?.[1] ?? 0);
    expect(kills, `oom_kill in ${events}`).toBeGreaterThan(0);
  });

  test('task 3: the kernel throttles a program that exceeds its CPU quota', async () => {
    const group = await newGroup(['openDoors', 'enter']);
    await limit(group, { cpu: { quota: 5_000, period: 50_000 } });
    await startIn(group, 'while :; do :; done');
    const throttled = () => Number(/^nr_throttled (\d+)$/m.exec(group.read('cpu', 'cpu.stat'))?.[1] ?? 0);
    await eventually(() => (throttled() > 1 ? true : null), 'The kernel never made it wait.', PATIENCE);
    end(group);
  });
});

describe('the count', () => {
  test('task 4: the counters are those of the kernel at that moment', async () => {
    const group = await newGroup([]);
    const { given, directories } = group;
    const [bytes, processes] = [draw.int(16, 99) * MEBIBYTE, draw.int(5, 99)];
    await limit(group, {
      memory: { limit: bytes },
      pids: { limit: processes },
      cpu: { quota: 10_000, period: 50_000 },
    });
    await startIn(group, 'while :; do :; done');
    const outside = Object.fromEntries(Object.keys(directories).map((name) => [name, group.path(name, '.')]));
    const look = () => referenceUsage(given.version, outside);
    await eventually(() => (look().cpu.throttledPeriods > 0 ? true : null), 'The program does not run.', PATIENCE);
    const before = look();
    const said = (await subject.call('usageOf', given.version, directories)) as Usage;
    const after = look();
    expect(said.processes, 'processes').toEqual({ current: 1, limit: processes });
    expect(said.memory.limit, 'memory.limit').toBe(bytes);
    expect(said.memory.usage).toBeGreaterThan(0);
    for (const key of ['total', 'user', 'system', 'periods', 'throttledPeriods', 'throttledTime'] as const) {
      expect(said.cpu[key], `cpu.${key}`).toBeGreaterThanOrEqual(before.cpu[key]);
      expect(said.cpu[key], `cpu.${key}`).toBeLessThanOrEqual(after.cpu[key]);
    }
    end(group);
  });

  /** Files with these lines, read by the subject as if they were a group's. */
  async function usageOnPaper(version: 1 | 2, files: Record<string, string>): Promise<Usage> {
    const { inside, outside } = await subject.workDir();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(outside, name), text, { mode: 0o644 });
    const controllers = ['memory', 'cpu', 'cpuacct', 'pids'];
    return (await subject.call(
      'usageOf',
      version,
      Object.fromEntries(controllers.map((name) => [name, inside])),
    )) as Usage;
  }

  const number = () => draw.int(1, 2 ** 40);
  /** Lines in a drawn order, with some that nobody asks for. */
  const lines = (values: Record<string, number>) =>
    draw
      .some([...Object.entries(values), [draw.word(12), number()] as const])
      .map(([key, value]) => `${key} ${value}\n`)
      .join('');

  test('task 4: all times are nanoseconds, on version 1', async () => {
    const [user, system] = [draw.int(1, 2 ** 28), draw.int(1, 2 ** 28)];
    const [total, first, second, waited] = [number(), number(), number(), number()];
    const [periods, throttled, bytes, peak, failures, processes] = [
      number(),
      number(),
      number(),
      number(),
      number(),
      number(),
    ];
    const details = { cache: number(), [draw.word()]: number() };
    const files = {
      'cpuacct.usage': `${total}\n`,
      'cpuacct.stat': lines({ user, system }),
      'cpuacct.usage_percpu': `${first} ${second} \n`,
      'cpu.stat': lines({ nr_periods: periods, nr_throttled: throttled, throttled_time: waited }),
      'memory.usage_in_bytes': `${bytes}\n`,
      'memory.max_usage_in_bytes': `${peak}\n`,
      'memory.failcnt': `${failures}\n`,
      'memory.limit_in_bytes': '9223372036854771712\n',
      'memory.stat': Object.entries(details)
        .map(([key, value]) => `${key} ${value}\n`)
        .join(''),
      'pids.current': `${processes}\n`,
      'pids.max': 'max\n',
    };
    const wanted: Usage = {
      cpu: {
        total,
        user: user * 10_000_000,
        system: system * 10_000_000,
        perCpu: [first, second],
        periods,
        throttledPeriods: throttled,
        throttledTime: waited,
      },
      memory: { usage: bytes, peak, failures, limit: Number.POSITIVE_INFINITY, details },
      processes: { current: processes, limit: Number.POSITIVE_INFINITY },
    };
    expect(await usageOnPaper(1, files)).toEqual(wanted);
    const most = draw.int(1, 2 ** 40) * 4096;
    const limited = { ...files, 'memory.limit_in_bytes': `${most}\n`, 'pids.max': `${processes + 1}\n` };
    expect(await usageOnPaper(1, limited), 'with limits').toEqual({
      ...wanted,
      memory: { ...wanted.memory, limit: most },
      processes: { current: processes, limit: processes + 1 },
    });
  });

  test('task 4: all times are nanoseconds, on version 2', async () => {
    const [total, user, system, waited] = [number(), number(), number(), number()];
    const [periods, throttled, bytes, failures, processes, most] = [
      number(),
      number(),
      number(),
      number(),
      number(),
      number(),
    ];
    const details = { anon: number(), [draw.word()]: number() };
    const files = {
      'cpu.stat': lines({
        usage_usec: total,
        user_usec: user,
        system_usec: system,
        nr_periods: periods,
        nr_throttled: throttled,
        throttled_usec: waited,
      }),
      'memory.current': `${bytes}\n`,
      'memory.events': lines({ low: number(), max: number(), oom: failures, oom_kill: number() }),
      'memory.max': 'max\n',
      'memory.stat': Object.entries(details)
        .map(([key, value]) => `${key} ${value}\n`)
        .join(''),
      'pids.current': `${processes}\n`,
      'pids.max': `${most}\n`,
    };
    const wanted: Usage = {
      cpu: {
        total: total * 1000,
        user: user * 1000,
        system: system * 1000,
        perCpu: [],
        periods,
        throttledPeriods: throttled,
        throttledTime: waited * 1000,
      },
      memory: { usage: bytes, peak: null, failures, limit: Number.POSITIVE_INFINITY, details },
      processes: { current: processes, limit: most },
    };
    expect(await usageOnPaper(2, files)).toEqual(wanted);
    expect(await usageOnPaper(2, { ...files, 'memory.max': `${most}\n`, 'pids.max': 'max\n' }), 'with limits').toEqual({
      ...wanted,
      memory: { ...wanted.memory, limit: most },
      processes: { current: processes, limit: Number.POSITIVE_INFINITY },
    });
  });

  test('task 4: a missing counter is 0, and a missing limit Infinity', async () => {
    const nothing = {
      cpu: { total: 0, user: 0, system: 0, perCpu: [], periods: 0, throttledPeriods: 0, throttledTime: 0 },
      memory: { usage: 0, failures: 0, limit: Number.POSITIVE_INFINITY, details: {} },
      processes: { current: 0, limit: Number.POSITIVE_INFINITY },
    };
    for (const version of [1, 2] as const) {
      expect(await subject.call('usageOf', version, {}), `no directory, version ${version}`).toMatchObject(nothing);
      expect(await usageOnPaper(version, {}), `no file, version ${version}`).toMatchObject(nothing);
      const processes = number();
      expect(
        await usageOnPaper(version, { 'pids.current': `${processes}\n` }),
        `one file, version ${version}`,
      ).toMatchObject({
        ...nothing,
        processes: { ...nothing.processes, current: processes },
      });
    }
  });
});

describe('standing still, and the end', () => {
  const freezer = ({ given, directories }: Group) => directories[given.version === 1 ? 'freezer' : 'memory'];
  const freeze = (group: Group, frozen: boolean) => subject.call('freeze', group.given.version, freezer(group), frozen);
  /** The kernel's word for it: `frozen`, `running`. */
  const state = (group: Group) =>
    group.given.version === 1
      ? ({ FROZEN: 'frozen', FREEZING: 'freezing' }[group.read('freezer', 'freezer.state')] ?? 'running')
      : /^frozen 1$/m.test(group.read('memory', 'cgroup.events'))
        ? 'frozen'
        : 'running';

  test('task 5: a frozen program stops, and runs on when it is thawed', async () => {
    const group = await newGroup([]);
    const pid = await startIn(group, 'while :; do :; done');
    for (let isFrozen = false, looks = 0; !isFrozen; looks++) {
      expect(looks, 'freeze() never says that the program stands still').toBeLessThan(1000);
      isFrozen = (await freeze(group, true)) as boolean;
      if (isFrozen) expect(state(group), 'freeze() says that it stands still').toBe('frozen');
    }
    const cpuTime = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13).join(' ');
    const still = cpuTime();
    expect(await freeze(group, true), 'asked again').toBe(true);
    expect(cpuTime()).toBe(still);
    while (!(await freeze(group, false)));
    expect(state(group)).toBe('running');
    await eventually(() => (cpuTime() !== still ? true : null), 'The program does not go on.', PATIENCE);
    end(group);
  });

  test('task 5: freeze returns whether the kernel has granted the request yet', async () => {
    for (const wanted of [true, false])
      for (const isSo of draw.some([true, false])) {
        const { inside, outside } = await subject.workDir();
        const files = {
          'cgroup.freeze': draw.pick(['0', '1']),
          'cgroup.events': `populated ${draw.int(0, 1)}\nfrozen ${wanted === isSo ? 1 : 0}\n`,
        };
        for (const [name, text] of Object.entries(files)) {
          writeFileSync(join(outside, name), text);
          chmodSync(join(outside, name), 0o666);
        }
        const answer = await subject.call('freeze', 2, inside, wanted);
        const written = readFileSync(join(outside, 'cgroup.freeze'), 'utf8').trim();
        const shown = `freeze(2, …, ${wanted}) where cgroup.events has "frozen ${wanted === isSo ? 1 : 0}"`;
        expect({ written, answer }, shown).toEqual({ written: wanted ? '1' : '0', answer: isSo });
      }
  });

  /** The tree in which the kernel freezes. */
  const frozenTree = (group: Group) => group.path(group.given.version === 1 ? 'freezer' : 'memory', '.');

  /** Everything that was there when the kill ended ends, and nothing new comes. */
  async function allEnd(group: Group): Promise<void> {
    const left = pidsIn(frozenTree(group));
    await eventually(
      () => {
        const now = pidsIn(frozenTree(group));
        const born = now.find((pid) => !left.includes(pid));
        if (born !== undefined)
          throw new Error(
            `Nothing should be left after killAll(); process ${born} was forked while it killed the others (cgroup.procs: ${now.join(', ')}).`,
          );
        return now.length === 0 ? true : null;
      },
      `Nothing should be left after killAll(); cgroup.procs has ${left.join(', ')}, and the group is ${state(group)}.`,
      PATIENCE,
    );
  }

  test('task 5: no process escapes the kill by forking, and no group stays frozen', async () => {
    for (let round = 0; round < 2; round++) {
      const group = await newGroup([]);
      const { version } = group.given;
      await limit(group, { pids: { limit: 200 } });
      // Each of them forks the next one and ends, and never waits.
      const chains = draw.int(20, 30);
      await startIn(group, `run() { (run) & }; n=0; while [ $n -lt ${chains} ]; do run; n=$((n+1)); done; ${WAIT}`);
      await eventually(
        () => (pidsIn(frozenTree(group)).length > 10 ? true : null),
        'The program does not fork.',
        PATIENCE,
      );
      const tree = freezer(group)!;
      // In one tree, so that each process stands there once.
      await traceSyscalls(subject, () => subject.call('killAll', version, [tree], tree), { slowKills: true });
      await allEnd(group);
      expect(state(group), 'the group after killAll()').toBe('running');
    }
  });

  test('task 5: processes in groups below are killed too', async () => {
    const name = `/${draw.word()}${nonce()}`;
    const group = await newGroup([], name);
    const below = await newGroup([], `${name}/${draw.word()}/${draw.word()}`);
    const pids = [await startIn(below, WAIT), await startIn(below, WAIT)];
    expect(pids.map(isRunning), 'the programs in the group below run').toEqual([true, true]);
    await kill(group);
    await allEnd(group);
  });

  test('task 5: processes in frozen groups are killed too, and no group is frozen afterwards', async () => {
    const name = `/${draw.word()}${nonce()}`;
    const group = await newGroup([], name);
    const below = await newGroup([], `${name}/${draw.word()}`);
    await startIn(below, WAIT);
    // The judge's own hand, and not the plank's freeze.
    const v1 = group.given.version === 1;
    const still = async (each: Group) => {
      const file = join(frozenTree(each), v1 ? 'freezer.state' : 'cgroup.freeze');
      writeFileSync(file, v1 ? 'FROZEN' : '1', { flag: 'r+' });
      await eventually(() => (state(each) === 'frozen' ? true : null), 'The kernel does not freeze it.', PATIENCE);
    };
    await still(below);
    await kill(group);
    await allEnd(group);
    expect({ group: state(group), below: state(below) }).toEqual({ group: 'running', below: 'running' });
    await still(group);
    await kill(group);
    expect(state(group), 'an empty group that was frozen, after killAll()').toBe('running');
  });
});
