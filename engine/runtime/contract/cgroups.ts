/** The plank of lab `cgroups`: how much a container may take, and how much it has taken. cgroups(7). */

/** Which of the kernel's two interfaces: 1 has a tree of directories for each controller, 2 has one tree for all. */
export type CgroupVersion = 1 | 2;

/** runtime-spec, config-linux.md, "Control groups". What is absent is left as it is. */
export interface Limits {
  /** Bytes; -1 for no limit. `swap` is memory and swap together. */
  memory?: { limit?: number; swap?: number; reservation?: number };
  /**
   * `shares` are relative, 2 to 262144. `quota` is microseconds of each `period` (100,000 if absent) that the group may
   * run on all CPUs together; -1 for no limit. `cpus` and `mems` are lists such as `0-2,7`.
   */
  cpu?: { shares?: number; quota?: number; period?: number; cpus?: string; mems?: string };
  /** Processes and threads; 0 or less for no limit. */
  pids?: { limit: number };
}

/** One value for one file of a group. */
export interface Setting {
  /** `memory`, `cpu`, `cpuset` or `pids`: on version 1, which tree it is in. */
  controller: string;
  file: string;
  value: string;
}

/** Controller → the group's directory in the tree of that controller. On version 2 it is the same for all of them. */
export type GroupDirectories = Record<string, string>;

/** Times in nanoseconds, sizes in bytes; Infinity is no limit, 0 is what this group does not count. */
export interface Usage {
  cpu: {
    total: number;
    user: number;
    system: number;
    /** One number for each CPU; empty on version 2, which counts them together. */
    perCpu: number[];
    /** Of the quota: the periods so far, those in which the group had to wait, and for how long it did. */
    periods: number;
    throttledPeriods: number;
    throttledTime: number;
  };
  /** `peak` is null on version 2; `failures` is how often the limit was in the way; `details` are the lines of memory.stat. */
  memory: { usage: number; peak: number | null; failures: number; limit: number; details: Record<string, number> };
  processes: { current: number; limit: number };
}

export interface CgroupsPlank {
  /**
   * The limits in the kernel's own words, in an order in which a new group takes them.
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
   * No limit is `-1` on version 1 and `max` on version 2; of pids it is `max` on both.
   */
  settingsFor(version: CgroupVersion, limits: Limits): Setting[];

  /**
   * Make the directory `path` below `mountPoint`, and its parents where they are missing. On version 2 a controller works
   * in a group once each directory above it, from the mount point down, hands it down (`cgroup.subtree_control`): it is
   * handed down by those that do not do so yet. "Controlling Controllers" in admin-guide/cgroup-v2.
   * @param path begins with `/`.
   * @returns the directory.
   */
  makeGroup(version: CgroupVersion, mountPoint: string, path: string, controllers: string[]): string;

  /**
   * In the parent: for each of the group's directories, a descriptor of the file through which a process moves itself in.
   * The caller closes them. When one cannot be opened none stays open.
   * @param directories each once. @throws the error of open(2)
   */
  openDoors(version: CgroupVersion, directories: string[]): number[];

  /** In the child, which has one thread and cannot reach the files any more: move into the group, through all doors. */
  enter(doors: number[]): void;

  /** What the group has used. A controller without a directory, and a file that is not there, counts nothing. */
  usageOf(version: CgroupVersion, directories: GroupDirectories): Usage;

  /**
   * Ask that everything in the group and below it stands still, or goes on.
   * @param directory of the freezer. @returns whether it does by now; ask again when not.
   */
  freeze(version: CgroupVersion, directory: string, frozen: boolean): boolean;

  /**
   * SIGKILL to everything in the group and in the groups below it, also to what forks meanwhile. Nothing is frozen afterwards.
   * @param directories each of the group's once. @param freezer the one of them that freezes.
   */
  killAll(version: CgroupVersion, directories: string[], freezer: string): void;
}
