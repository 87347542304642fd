import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pidsIn } from '../../engine/runtime/cgroups/files.ts';
import { usageOf as referenceUsage } from '../../engine/runtime/cgroups.ts';
import type { GroupDirectories, Limits, Setting, Usage } from '../../engine/runtime/contract/cgroups.ts';
import { type Delegated, delegateCgroups } from '../../grader/harness/delegate.ts';
import { childOf, eventually, isRunning, nonce, openDescriptors } from '../../grader/harness/evidence.ts';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { openSubject, type Subject } from '../../grader/harness/suite.ts';

const MEBIBYTE = 1 << 20;

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
  directories: GroupDirectories;
  /** A file of the group on this machine. */
  path(controller: string, file: string): string;
  /** What stands in it. */
  read(controller: string, file: string): string;
}

async function newGroup(name = `/${nonce()}`): Promise<Group> {
  const given = delegateCgroups(subject);
  const trees = given.trees.map(({ controllers, inside }) => ({ controllers, mountPoint: inside }));
  const directories = (await subject.call('makeGroups', given.version, trees, name)) as GroupDirectories;
  const path = (controller: string, file: string) => {
    const tree = given.trees.find(({ controllers }) => given.version === 2 || controllers.includes(controller));
    return join(tree?.outside ?? '/nowhere', name, file);
  };
  return { given, directories, path, read: (controller, file) => readFileSync(path(controller, file), 'utf8').trim() };
}

/** Start a shell in the group. @returns its pid on this machine. */
async function startIn({ given, directories }: Group, script: string): Promise<number> {
  const inner = (await subject.call('startIn', given.version, directories, {
    args: ['/bin/sh', '-c', script],
    env: ['PATH=/usr/bin:/bin'],
  })) as number;
  return childOf(subject, inner);
}

const limit = ({ given, directories }: Group, limits: Limits) =>
  subject.call('limit', given.version, directories, limits);
const kill = ({ given, directories }: Group) => subject.call('killGroup', given.version, directories);

/** A wait that nothing but a signal ends; `read` is no program of its own. */
const WAIT = 'mkfifo /tmp/$$; read x </tmp/$$';

describe('the words of the limits', () => {
  const settings = async (version: 1 | 2, limits: Limits) =>
    ((await subject.call('settingsFor', version, limits)) as Setting[]).map(
      ({ controller, file, value }) => `${controller}: ${file} ${value}`,
    );
  const all: Limits = {
    memory: { limit: 64 * MEBIBYTE, swap: 96 * MEBIBYTE, reservation: 32 * MEBIBYTE },
    cpu: { shares: 512, quota: 50_000, period: 200_000, cpus: '0-1', mems: '0' },
    pids: { limit: 20 },
  };

  test('task 1: in the files of version 1', async () => {
    expect((await settings(1, all)).sort()).toEqual([
      'cpu: cpu.cfs_period_us 200000',
      'cpu: cpu.cfs_quota_us 50000',
      'cpu: cpu.shares 512',
      'cpuset: cpuset.cpus 0-1',
      'cpuset: cpuset.mems 0',
      'memory: memory.limit_in_bytes 67108864',
      'memory: memory.memsw.limit_in_bytes 100663296',
      'memory: memory.soft_limit_in_bytes 33554432',
      'pids: pids.max 20',
    ]);
    const files = (await settings(1, all)).map((line) => line.split(' ')[1]);
    expect(files.indexOf('memory.limit_in_bytes'), 'the sum can never be below memory').toBeLessThan(
      files.indexOf('memory.memsw.limit_in_bytes'),
    );
  });

  test('task 1: in the files of version 2', async () => {
    expect((await settings(2, all)).sort()).toEqual([
      'cpu: cpu.max 50000 200000',
      'cpu: cpu.weight 20',
      'cpuset: cpuset.cpus 0-1',
      'cpuset: cpuset.mems 0',
      'memory: memory.low 33554432',
      'memory: memory.max 67108864',
      'memory: memory.swap.max 33554432',
      'pids: pids.max 20',
    ]);
    for (const [shares, weight] of [
      [2, 1],
      [1024, 39],
      [262_144, 10_000],
    ] as const)
      expect(await settings(2, { cpu: { shares } }), `${shares} shares`).toEqual([`cpu: cpu.weight ${weight}`]);
    expect(await settings(2, { cpu: { quota: 20_000 } })).toEqual(['cpu: cpu.max 20000 100000']);
    expect(await settings(2, { cpu: { period: 20_000 } })).toEqual(['cpu: cpu.max max 20000']);
  });

  test('task 1: what was not asked for is not written, and no limit has a word of its own', async () => {
    for (const version of [1, 2] as const) {
      expect(await settings(version, {})).toEqual([]);
      expect(await settings(version, { memory: {}, cpu: {} })).toEqual([]);
      expect(await settings(version, { pids: { limit: 0 } })).toEqual(['pids: pids.max max']);
      expect(await settings(version, { pids: { limit: -1 } })).toEqual(['pids: pids.max max']);
    }
    const none = { memory: { limit: -1, swap: -1 }, cpu: { quota: -1 } };
    expect((await settings(1, none)).sort()).toEqual([
      'cpu: cpu.cfs_quota_us -1',
      'memory: memory.limit_in_bytes -1',
      'memory: memory.memsw.limit_in_bytes -1',
    ]);
    expect((await settings(2, none)).sort()).toEqual([
      'cpu: cpu.max max 100000',
      'memory: memory.max max',
      'memory: memory.swap.max max',
    ]);
  });

  test('task 1: the kernel takes them', async () => {
    const group = await newGroup();
    const v1 = group.given.version === 1;
    await limit(group, {
      memory: { limit: 64 * MEBIBYTE, swap: 96 * MEBIBYTE },
      cpu: { quota: 50_000 },
      pids: { limit: 20 },
    });
    expect(group.read('memory', v1 ? 'memory.limit_in_bytes' : 'memory.max')).toBe('67108864');
    expect(group.read('cpu', v1 ? 'cpu.cfs_quota_us' : 'cpu.max')).toBe(v1 ? '50000' : '50000 100000');
    expect(group.read('pids', 'pids.max')).toBe('20');
  });
});

describe('the group', () => {
  test('task 2: it is there with its controllers, and what is there already is used', async () => {
    const name = `/${nonce()}/deep/${nonce()}`;
    const group = await newGroup(name);
    for (const [controller, file] of [
      ['memory', 'memory.stat'],
      ['pids', 'pids.current'],
      ['cpu', 'cpu.stat'],
    ] as const)
      expect(existsSync(group.path(controller, file)), `${file} in the group`).toBe(true);
    for (const directory of Object.values(group.directories)) expect(directory.endsWith(name)).toBe(true);
    await newGroup(name);
    await newGroup(`${name}-beside`);
  });

  /** What is written, seen on directories that are no control groups. */
  async function makeOnPaper(version: 1 | 2, controllers: string[]) {
    const dir = `${subject.scratch}/${nonce()}`;
    const outside = join(subject.outsidePath(subject.scratch), basename(dir));
    mkdirSync(outside);
    chmodSync(outside, 0o777);
    const returned = await subject.call('makeGroup', version, dir, '/a/b/c', controllers);
    expect(returned).toBe(`${dir}/a/b/c`);
    const names = readdirSync(outside, { recursive: true }) as string[];
    return names.filter((name) => name.includes('cgroup.')).sort();
  }

  test('task 2: on version 2 every directory above hands down, from the top; on version 1 none does', async () => {
    const handsDown = 'cgroup.subtree_control';
    expect(await makeOnPaper(2, ['pids'])).toEqual([`a/b/${handsDown}`, `a/${handsDown}`, handsDown]);
    expect(await makeOnPaper(1, ['pids'])).toEqual([]);
  });
});

describe('the way in', () => {
  test('task 3: the program begins in the group, in every tree', async () => {
    const group = await newGroup();
    const pid = await startIn(group, WAIT);
    const own = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    for (const { outside, controllers } of group.given.trees) {
      const directory = join(outside, basename(Object.values(group.directories)[0]!));
      expect(pidsIn(directory), `the group of ${controllers.join(', ')} (it is in: ${own})`).toContain(pid);
    }
  });

  test('task 3: through every door, and by the thread on version 1', async () => {
    const { inside, outside } = await subject.workDir();
    for (const tree of ['memory', 'pids', 'cpu']) {
      mkdirSync(join(outside, tree));
      for (const file of ['tasks', 'cgroup.procs']) {
        writeFileSync(join(outside, tree, file), '');
        chmodSync(join(outside, tree, file), 0o666);
      }
    }
    const trees = ['memory', 'pids', 'cpu'].map((tree) => `${inside}/${tree}`);
    const written = (file: string) =>
      ['memory', 'pids', 'cpu'].map((tree) => readFileSync(join(outside, tree, file), 'utf8').trim());
    await subject.call('passThrough', 1, trees);
    expect(written('tasks')).toEqual(['0', '0', '0']);
    expect(written('cgroup.procs')).toEqual(['', '', '']);
    await subject.call('passThrough', 2, [trees[0]]);
    expect(written('cgroup.procs')).toEqual(['0', '', '']);
  });

  test('task 3: of doors that do not all open none stays open', async () => {
    const group = await newGroup();
    const directories = [...new Set(Object.values(group.directories))];
    const before = Object.keys(openDescriptors(subject.pid)).length;
    await expect(subject.call('openDoors', group.given.version, [...directories, '/no/such/group'])).rejects.toThrow(
      /ENOENT/,
    );
    expect(Object.keys(openDescriptors(subject.pid)).length, 'open descriptors').toBe(before);
  });

  test('task 3: a fork bomb ends at the limit', async () => {
    const group = await newGroup();
    await limit(group, { pids: { limit: 12 } });
    const bomb = 'n=0; while [ $n -lt 60 ]; do sleep 1000 & n=$((n+1)); done; wait';
    await startIn(group, bomb);
    const refused = () => Number(/^max (\d+)$/m.exec(group.read('pids', 'pids.events'))?.[1] ?? 0);
    await eventually(() => (refused() > 0 ? true : null), 'The kernel never refused a fork in the group.');
    expect(Number(group.read('pids', 'pids.current'))).toBeLessThanOrEqual(12);
    await kill(group);
  });

  test('task 3: what takes more memory than it may is ended by the kernel', async () => {
    const group = await newGroup();
    await limit(group, { memory: { limit: 24 * MEBIBYTE, swap: 24 * MEBIBYTE } });
    const pid = await startIn(group, 'head -c 200000000 /dev/zero | tail');
    await eventually(() => (isRunning(pid) ? null : true), 'The program was not ended.', 30_000);
    const events = group.given.version === 1 ? 'memory.oom_control' : 'memory.events';
    const kills = Number(/^oom_kill (\d+)$/m.exec(group.read('memory', events))?.[1] ?? 0);
    expect(kills, `oom_kill in ${events}`).toBeGreaterThan(0);
  });

  test('task 3: what runs longer than it may has to wait', async () => {
    const group = await newGroup();
    await limit(group, { cpu: { quota: 5_000, period: 50_000 } });
    await startIn(group, 'while :; do :; done');
    const throttled = () => Number(/^nr_throttled (\d+)$/m.exec(group.read('cpu', 'cpu.stat'))?.[1] ?? 0);
    await eventually(() => (throttled() > 1 ? true : null), 'The kernel never made it wait.');
    await kill(group);
  });
});

describe('the count', () => {
  test('task 4: what the kernel counts, between two looks of the judge', async () => {
    const group = await newGroup();
    const { given, directories } = group;
    await limit(group, {
      memory: { limit: 64 * MEBIBYTE },
      pids: { limit: 9 },
      cpu: { quota: 10_000, period: 50_000 },
    });
    await startIn(group, 'while :; do :; done');
    const outside = Object.fromEntries(Object.keys(directories).map((name) => [name, group.path(name, '.')]));
    const look = () => referenceUsage(given.version, outside);
    await eventually(() => (look().cpu.throttledPeriods > 0 ? true : null), 'The program does not run.');
    const before = look();
    const said = (await subject.call('usageOf', given.version, directories)) as Usage;
    const after = look();
    expect(said.processes).toEqual({ current: 1, limit: 9 });
    expect(said.memory.limit).toBe(64 * MEBIBYTE);
    expect(said.memory.usage).toBeGreaterThan(0);
    for (const key of ['total', 'user', 'system', 'periods', 'throttledPeriods', 'throttledTime'] as const) {
      expect(said.cpu[key], `cpu.${key}`).toBeGreaterThanOrEqual(before.cpu[key]);
      expect(said.cpu[key], `cpu.${key}`).toBeLessThanOrEqual(after.cpu[key]);
    }
    await kill(group);
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

  test('task 4: all times are nanoseconds, on version 1', async () => {
    const usage = await usageOnPaper(1, {
      'cpuacct.usage': '7000000001\n',
      'cpuacct.stat': 'user 500\nsystem 200\n',
      'cpuacct.usage_percpu': '3000000000 4000000001 \n',
      'cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 123456789\n',
      'memory.usage_in_bytes': '4096\n',
      'memory.max_usage_in_bytes': '8192\n',
      'memory.failcnt': '3\n',
      'memory.limit_in_bytes': '9223372036854771712\n',
      'memory.stat': 'cache 1\nrss 2\n',
      'pids.current': '5\n',
      'pids.max': 'max\n',
    });
    expect(usage).toEqual({
      cpu: {
        total: 7_000_000_001,
        user: 5_000_000_000,
        system: 2_000_000_000,
        perCpu: [3_000_000_000, 4_000_000_001],
        periods: 10,
        throttledPeriods: 4,
        throttledTime: 123_456_789,
      },
      memory: { usage: 4096, peak: 8192, failures: 3, limit: Number.POSITIVE_INFINITY, details: { cache: 1, rss: 2 } },
      processes: { current: 5, limit: Number.POSITIVE_INFINITY },
    });
  });

  test('task 4: all times are nanoseconds, on version 2', async () => {
    const usage = await usageOnPaper(2, {
      'cpu.stat':
        'usage_usec 7000001\nuser_usec 5000000\nsystem_usec 2000001\nnr_periods 10\nnr_throttled 4\nthrottled_usec 123\n',
      'memory.current': '4096\n',
      'memory.events': 'low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\n',
      'memory.max': 'max\n',
      'memory.stat': 'anon 1\nfile 2\n',
      'pids.current': '5\n',
      'pids.max': '20\n',
    });
    expect(usage).toEqual({
      cpu: {
        total: 7_000_001_000,
        user: 5_000_000_000,
        system: 2_000_001_000,
        perCpu: [],
        periods: 10,
        throttledPeriods: 4,
        throttledTime: 123_000,
      },
      memory: { usage: 4096, peak: null, failures: 3, limit: Number.POSITIVE_INFINITY, details: { anon: 1, file: 2 } },
      processes: { current: 5, limit: 20 },
    });
  });

  test('task 4: what is not there counts nothing', async () => {
    for (const version of [1, 2] as const) {
      const usage = (await subject.call('usageOf', version, {})) as Usage;
      expect(usage.cpu).toMatchObject({ total: 0, user: 0, system: 0, perCpu: [], periods: 0, throttledTime: 0 });
      expect(usage.memory).toMatchObject({ usage: 0, failures: 0, limit: Number.POSITIVE_INFINITY, details: {} });
      expect(usage.processes).toEqual({ current: 0, limit: Number.POSITIVE_INFINITY });
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

  test('task 5: a frozen program stands still, and goes on', async () => {
    const group = await newGroup();
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
    await eventually(() => (cpuTime() !== still ? true : null), 'The program does not go on.');
    await kill(group);
  });

  test('task 5: nothing escapes the kill by forking, and nothing stays frozen', async () => {
    const group = await newGroup();
    await limit(group, { pids: { limit: 40 } });
    const pid = await startIn(group, 'run() { (run) & }; for i in 1 2 3 4 5 6 7 8; do run; done; while :; do :; done');
    await kill(group);
    const tree = group.given.version === 1 ? group.path('freezer', '.') : group.path('memory', '.');
    await eventually(() => (pidsIn(tree).length === 0 ? true : null), 'Processes are left in the group.');
    expect(isRunning(pid)).toBe(false);
    expect(state(group)).toBe('running');
  });

  test('task 5: groups below are part of it', async () => {
    const name = `/${nonce()}`;
    const group = await newGroup(name);
    const below = await newGroup(`${name}/below`);
    const pid = await startIn(below, WAIT);
    await kill(group);
    await eventually(() => (isRunning(pid) ? null : true), 'The program in the group below still runs.');
    await kill(group);
  });
});
