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
 * No limit is `-1` on version 1 and `max` on version 2; of pids it is `max` on both. What is absent is not written. A period
 * without a number is 100000.
 */
export function settingsFor(_version: CgroupVersion, _limits: Limits): Setting[] {
  throw new NotImplemented('cgroups', 1);
}

/**
 * Task 2. Make the directory `path` below `mountPoint`, and its parents where they are missing.
 *
 * On version 2 a controller works in a group once each directory above it, from the mount point down, hands it down by its
 * file `cgroup.subtree_control`. Where a controller is handed down already nothing is written.
 * @param _path begins with `/`.
 * @returns the directory.
 */
export function makeGroup(_version: CgroupVersion, _mountPoint: string, _path: string, _controllers: string[]): string {
  throw new NotImplemented('cgroups', 2);
}

/**
 * Task 3, in the parent: for each of the group's directories a descriptor, open for writing, of the file through which a
 * process moves itself in. The caller closes them. When one cannot be opened none stays open.
 * @param _directories each once.
 * @throws the error of open(2)
 */
export function openDoors(_version: CgroupVersion, _directories: string[]): number[] {
  throw new NotImplemented('cgroups', 3);
}

/** Task 3, in the child, which has one thread and cannot reach the files any more: move into the group, through all doors. */
export function enter(_doors: number[]): void {
  throw new NotImplemented('cgroups', 3);
}

/**
 * Task 4. What the group has used: times in nanoseconds, sizes in bytes, Infinity where there is no limit. A controller
 * without a directory, and a file that is not there, counts nothing.
 *
 * Version 1: cpuacct.usage, cpuacct.stat (ticks of 10 ms), cpuacct.usage_percpu, cpu.stat; memory.usage_in_bytes,
 * memory.max_usage_in_bytes, memory.failcnt, memory.limit_in_bytes, memory.stat; pids.current, pids.max. It writes "no limit"
 * of memory as the largest number of pages.
 *
 * Version 2: cpu.stat (microseconds); memory.current, `oom` of memory.events, memory.max, memory.stat; pids.current, pids.max.
 * It has no peak (null) and no numbers of single CPUs (none).
 * @param _directories controller → directory.
 */
export function usageOf(_version: CgroupVersion, _directories: GroupDirectories): Usage {
  throw new NotImplemented('cgroups', 4);
}

/**
 * Task 5. Ask that everything in the group and below it stands still, or goes on: `freezer.state` on version 1,
 * `cgroup.freeze` and `cgroup.events` on version 2.
 * @param _directory of the freezer.
 * @returns whether it does by now; the caller asks again when not.
 */
export function freeze(_version: CgroupVersion, _directory: string, _frozen: boolean): boolean {
  throw new NotImplemented('cgroups', 5);
}

/**
 * Task 5. SIGKILL to everything in the group and in the groups below it, also to what forks meanwhile. Nothing is frozen afterwards.
 * @param _directories each of the group's once.
 * @param _freezer the one of them that freezes.
 */
export function killAll(_version: CgroupVersion, _directories: string[], _freezer: string): void {
  throw new NotImplemented('cgroups', 5);
}
