/** Control groups, in both of the kernel's interfaces. Kernel documentation, admin-guide/cgroup-v1 and cgroup-v2. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CgroupVersion, GroupDirectories, Limits, Setting, Usage } from '#contract/cgroups';
import { close, O_WRONLY, open, write } from '#kernel/descriptors';
import {
  killUnlessGone,
  makeDirectories,
  pidsIn,
  readKey,
  readNumbers,
  readValue,
  tree,
  writeValue,
} from './cgroups/files.ts';

export function settingsFor(version: CgroupVersion, limits: Limits): Setting[] {
  const settings = version === 1 ? settingsOfV1(limits) : settingsOfV2(limits);
  return settings.flatMap(([controller, file, value]) =>
    value === undefined || value === '' ? [] : [{ controller, file, value: String(value) }],
  );
}

type Row = [controller: string, file: string, value: string | number | undefined];

function settingsOfV1({ memory, cpu, pids }: Limits): Row[] {
  return [
    // The sum of memory and swap can never be below memory.
    ['memory', 'memory.limit_in_bytes', memory?.limit],
    ['memory', 'memory.memsw.limit_in_bytes', memory?.swap],
    ['memory', 'memory.soft_limit_in_bytes', memory?.reservation],
    ['cpu', 'cpu.shares', cpu?.shares],
    ['cpu', 'cpu.cfs_period_us', cpu?.period],
    ['cpu', 'cpu.cfs_quota_us', cpu?.quota],
    ['cpuset', 'cpuset.cpus', cpu?.cpus],
    ['cpuset', 'cpuset.mems', cpu?.mems],
    ['pids', 'pids.max', pids && mostProcesses(pids.limit)],
  ];
}

function settingsOfV2({ memory, cpu, pids }: Limits): Row[] {
  const orMax = (value: number | undefined) => (value === -1 ? 'max' : value);
  const quota = cpu?.quota === undefined || cpu.quota <= 0 ? 'max' : cpu.quota;
  return [
    ['memory', 'memory.max', orMax(memory?.limit)],
    ['memory', 'memory.swap.max', memory?.swap === undefined ? undefined : swapAlone(memory.swap, memory.limit)],
    ['memory', 'memory.low', orMax(memory?.reservation)],
    ['cpu', 'cpu.weight', cpu?.shares ? weightOfShares(cpu.shares) : undefined],
    [
      'cpu',
      'cpu.max',
      cpu?.quota === undefined && cpu?.period === undefined ? undefined : `${quota} ${cpu.period || 100_000}`,
    ],
    ['cpuset', 'cpuset.cpus', cpu?.cpus],
    ['cpuset', 'cpuset.mems', cpu?.mems],
    ['pids', 'pids.max', pids && mostProcesses(pids.limit)],
  ];
}

const mostProcesses = (limit: number) => (limit > 0 ? limit : 'max');

/** The specification's number is memory and swap together, the kernel's is swap alone. */
function swapAlone(both: number, memory = 0): string | number {
  return both === -1 ? 'max' : Math.max(0, both - Math.max(0, memory));
}

/** v1's 2…262144 laid linearly over v2's 1…10000. @param shares out of range is cut to it. */
function weightOfShares(shares: number): number {
  const within = Math.min(Math.max(shares, 2), 262_144);
  return 1 + Math.floor(((within - 2) * 9_999) / 262_142);
}

export function makeGroup(version: CgroupVersion, mountPoint: string, path: string, controllers: string[]): string {
  makeDirectories(mountPoint, path);
  const directory = join(mountPoint, path);
  if (version === 2) for (const above of directoriesAbove(mountPoint, directory)) handDown(above, controllers);
  return directory;
}

/** From the mount point down to the parent of `directory`. */
function directoriesAbove(mountPoint: string, directory: string): string[] {
  const found: string[] = [];
  for (let each = dirname(directory); each.length >= mountPoint.length; each = dirname(each)) found.unshift(each);
  return found;
}

/** One write for each: a write with several names fails as a whole. */
function handDown(directory: string, controllers: string[]): void {
  const done = (readValue(directory, 'cgroup.subtree_control') ?? '').split(/\s+/);
  for (const name of controllers) if (!done.includes(name)) writeValue(directory, 'cgroup.subtree_control', `+${name}`);
}

/**
 * On v1 `tasks`, which takes one thread: moving one's own single thread spares the kernel the lock it has to take against
 * forks of a whole process, and with it several milliseconds of waiting for all CPUs.
 */
export function openDoors(version: CgroupVersion, directories: string[]): number[] {
  const doors: number[] = [];
  try {
    for (const directory of directories)
      doors.push(open(join(directory, version === 1 ? 'tasks' : 'cgroup.procs'), O_WRONLY));
    return doors;
  } catch (error) {
    for (const door of doors) close(door);
    throw error;
  }
}

/** 0 is the process that writes it. */
export function enter(doors: number[]): void {
  for (const door of doors) write(door, '0');
}

/** v1 writes "no limit" as the largest number of pages in bytes. */
const NO_LIMIT = 2 ** 62;
/** Nanoseconds in a clock tick of cpuacct.stat: USER_HZ is 100 on every Linux that Node runs on. */
const TICK = 10_000_000;

export function usageOf(version: CgroupVersion, directories: GroupDirectories): Usage {
  return version === 1 ? usageOfV1(directories) : usageOfV2(directories);
}

function usageOfV1(directories: GroupDirectories): Usage {
  const text = (controller: string, file: string) => readValue(directories[controller] ?? NOWHERE, file) ?? '';
  const number = (controller: string, file: string) => Number(text(controller, file) || 0);
  const numbers = (controller: string, file: string) => readNumbers(directories[controller] ?? NOWHERE, file);
  const ticks = numbers('cpuacct', 'cpuacct.stat');
  const throttling = numbers('cpu', 'cpu.stat');
  const limit = text('memory', 'memory.limit_in_bytes');
  return {
    cpu: {
      total: number('cpuacct', 'cpuacct.usage'),
      user: (ticks.user ?? 0) * TICK,
      system: (ticks.system ?? 0) * TICK,
      perCpu: text('cpuacct', 'cpuacct.usage_percpu').split(/\s+/).filter(Boolean).map(Number),
      periods: throttling.nr_periods ?? 0,
      throttledPeriods: throttling.nr_throttled ?? 0,
      throttledTime: throttling.throttled_time ?? 0,
    },
    memory: {
      usage: number('memory', 'memory.usage_in_bytes'),
      peak: number('memory', 'memory.max_usage_in_bytes'),
      failures: number('memory', 'memory.failcnt'),
      limit: limit === '' || Number(limit) > NO_LIMIT ? Number.POSITIVE_INFINITY : Number(limit),
      details: numbers('memory', 'memory.stat'),
    },
    processes: { current: number('pids', 'pids.current'), limit: most(text('pids', 'pids.max')) },
  };
}

function usageOfV2(directories: GroupDirectories): Usage {
  const { cpu: cpuDirectory = NOWHERE, memory = NOWHERE, pids = NOWHERE } = directories;
  const cpu = readNumbers(cpuDirectory, 'cpu.stat');
  const microseconds = (key: string) => (cpu[key] ?? 0) * 1000;
  return {
    cpu: {
      total: microseconds('usage_usec'),
      user: microseconds('user_usec'),
      system: microseconds('system_usec'),
      perCpu: [],
      periods: cpu.nr_periods ?? 0,
      throttledPeriods: cpu.nr_throttled ?? 0,
      throttledTime: microseconds('throttled_usec'),
    },
    memory: {
      usage: Number(readValue(memory, 'memory.current') ?? 0),
      peak: null,
      failures: readKey(memory, 'memory.events', 'oom'),
      limit: most(readValue(memory, 'memory.max') ?? ''),
      details: readNumbers(memory, 'memory.stat'),
    },
    processes: {
      current: Number(readValue(pids, 'pids.current') ?? 0),
      limit: most(readValue(pids, 'pids.max') ?? ''),
    },
  };
}

const NOWHERE = '/nowhere';
const most = (text: string) => (text === 'max' || text === '' ? Number.POSITIVE_INFINITY : Number(text));

/** v1 stays at FREEZING while a process is in a call that cannot be interrupted; asked again it goes on trying. */
export function freeze(version: CgroupVersion, directory: string, frozen: boolean): boolean {
  if (version === 1) {
    writeValue(directory, 'freezer.state', frozen ? 'FROZEN' : 'THAWED');
    return readValue(directory, 'freezer.state') === (frozen ? 'FROZEN' : 'THAWED');
  }
  writeValue(directory, 'cgroup.freeze', frozen ? 1 : 0);
  return readKey(directory, 'cgroup.events', 'frozen') === (frozen ? 1 : 0);
}

export function killAll(version: CgroupVersion, directories: string[], freezer: string): void {
  const isRunning = directories.flatMap(pidsIn).length > 0;
  // Since Linux 5.14.
  const killsByItself = version === 2 && existsSync(join(freezer, 'cgroup.kill'));
  if (isRunning && !killsByItself) killFrozen(version, directories, freezer);
  else {
    if (isRunning) writeValue(freezer, 'cgroup.kill', 1);
    // A group that was frozen before stays so when all in it has died.
    for (const group of tree(freezer).reverse()) tryToFreeze(version, group, false);
  }
}

/** Frozen processes cannot fork away from the signal; on v1 they die of it once they are thawed. For v2 before Linux 5.14, too. */
export function killFrozen(version: CgroupVersion, directories: string[], freezer: string): void {
  const groups = version === 1 ? tree(freezer).reverse() : [freezer];
  const killed = new Set<number>();
  const alive = () => [...new Set(directories.flatMap(pidsIn))].filter((pid) => !killed.has(pid));
  for (const group of groups) tryToFreeze(version, group, true);
  // A fork that was under way when the freeze came shows in a later look only.
  for (let fresh = alive(); fresh.length > 0; fresh = alive())
    for (const pid of fresh) {
      killUnlessGone(pid);
      killed.add(pid);
    }
  for (const group of groups) tryToFreeze(version, group, false);
}

/** A group that is gone by now has nothing in it to be killed. */
function tryToFreeze(version: CgroupVersion, directory: string, frozen: boolean): void {
  try {
    freeze(version, directory, frozen);
  } catch {
    // The signal follows all the same.
  }
}
