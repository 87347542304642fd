/** Lab `cgroups`: how much a container may take, and how much it has taken. cgroups(7). */

import type { CgroupVersion, GroupDirectories, Limits, Setting, Usage } from '#contract/cgroups';
import { NotImplemented } from '#contract/not-implemented';

/**
 * Task 1. The limits in the kernel's own words, in an order in which a new group takes them.
 *
 * | | version 1 | version 2 |
 * | --- | --- | --- |
 * | memory.limit | memory.limit_in_bytes | memory.max |
 * | memory.swap | memory.memsw.limit_in_bytes, memory and swap together | memory.swap.max, swap alone |
 * | memory.reservation | memory.soft_limit_in_bytes | memory.low |
 * | cpu.shares | cpu.shares | cpu.weight, 1…10000: 2…262144 laid linearly over it, rounded down |
 * | cpu.period, cpu.quota | cpu.cfs_period_us, cpu.cfs_quota_us | cpu.max, `QUOTA PERIOD` |
 * | cpu.cpus, cpu.mems | cpuset.cpus, cpuset.mems | the same |
 * | pids.limit | pids.max | the same |
 *
 * No limit (-1) is `-1` on version 1 and `max` on version 2; of pids (0 or less) it is `max` on both. What is absent is not
 * written: `memory: {}` writes nothing. On version 2:
 *
 * - With a quota but no period the period is 100000; with a period but no quota the quota is `max`.
 * - Swap alone is `swap - limit`, and 0 if that is negative. Without a limit of memory (absent or -1) it is `swap` itself.
 *   `swap: -1` is `max`, whatever the limit is.
 * - Shares below 2 count as 2, those above 262144 as 262144.
 */
export function settingsFor(_version: CgroupVersion, _limits: Limits): Setting[] {
  throw new NotImplemented('cgroups', 1);
}

/**
 * Task 2. Make the directory `path` below `mountPoint`, and its parents where they are missing. A directory that exists is
 * used as it is.
 *
 * On version 2 a controller works in a group once each directory above it, from the mount point down, hands it down: its
 * file `cgroup.subtree_control`, which the kernel puts into every directory, names the controllers that are handed down, and
 * takes `+NAME` for one more. What a directory hands down already is not written again. Nothing is written in the new
 * directory itself, and nothing at all on version 1.
 * @param _path begins with `/`, e.g. `/skiff/box`.
 * @param _controllers on version 1 those of the tree at `mountPoint`.
 * @returns the directory, `mountPoint` and `path` together.
 */
export function makeGroup(_version: CgroupVersion, _mountPoint: string, _path: string, _controllers: string[]): string {
  throw new NotImplemented('cgroups', 2);
}

/**
 * Task 3, in the parent: for each of the group's directories, in their order, a descriptor of the file through which a process
 * moves in: `tasks` on version 1, which moves one thread, and `cgroup.procs` on version 2. They are open for writing and
 * closed by an exec; the caller closes them in the parent. If one file cannot be opened, those that are open already are closed.
 * @param _directories each once.
 * @throws the error of open(2), with its code, e.g. ENOENT
 */
export function openDoors(_version: CgroupVersion, _directories: string[]): number[] {
  throw new NotImplemented('cgroups', 3);
}

/**
 * Task 3, in the child, which has one thread and cannot reach the files any more: the caller moves into the group, through
 * all doors. `0` stands for the process that writes it. `process.pid` would be wrong: Node has read it before the fork, and it
 * is the parent's. The doors stay open.
 */
export function enter(_doors: number[]): void {
  throw new NotImplemented('cgroups', 3);
}

/**
 * Task 4. What the group has used: times in nanoseconds, sizes in bytes. If a controller has no directory, or a file or a line
 * is missing, a counter is 0, a limit Infinity, and a list or `details` empty.
 *
 * Version 1: cpuacct.usage, cpuacct.stat (ticks of 10 ms), cpuacct.usage_percpu, cpu.stat; memory.usage_in_bytes,
 * memory.max_usage_in_bytes, memory.failcnt, memory.limit_in_bytes, memory.stat; pids.current, pids.max. It writes "no limit"
 * of memory as the largest number of pages, in bytes, about 2⁶³: more than 2⁶² is Infinity.
 *
 * Version 2: cpu.stat (microseconds); memory.current, `oom` of memory.events, memory.max, memory.stat; pids.current, pids.max.
 * The peak is null there, also if memory.current exists, and `perCpu` is empty.
 * @param _directories controller → directory.
 */
export function usageOf(_version: CgroupVersion, _directories: GroupDirectories): Usage {
  throw new NotImplemented('cgroups', 4);
}

/**
 * Task 5. Ask that everything in the group and below it stands still, or goes on. Version 1: `FROZEN` or `THAWED` into
 * `freezer.state`, where the kernel answers with `FREEZING` until all stand still. Version 2: `1` or `0` into `cgroup.freeze`; the line
 * `frozen` of `cgroup.events` is the kernel's answer.
 * @param _directory of the freezer.
 * @returns whether the kernel says by now that it does. It does not wait: the caller asks again.
 * @throws the error of open(2) or write(2) if the group cannot be asked.
 */
export function freeze(_version: CgroupVersion, _directory: string, _frozen: boolean): boolean {
  throw new NotImplemented('cgroups', 5);
}

/**
 * Task 5. SIGKILL to everything in the group and in the groups below it, also to what is forked meanwhile. Whatever of it was
 * frozen before, neither the group nor a group below it is frozen afterwards, also if there was nothing to kill. It does not wait until all have ended.
 * @param _directories each of the group's once.
 * @param _freezer the one of them that freezes.
 */
export function killAll(_version: CgroupVersion, _directories: string[], _freezer: string): void {
  throw new NotImplemented('cgroups', 5);
}
