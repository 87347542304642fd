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

/** Times in nanoseconds, sizes in bytes. A limit that is missing is Infinity, a counter that is missing is 0. */
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

/** The comments of labs/04-cgroups/cgroups.ts say in full what each of these owes. */
export interface CgroupsPlank {
  /** The limits in the kernel's own words, in an order in which a new group takes them. */
  settingsFor(version: CgroupVersion, limits: Limits): Setting[];
  /**
   * Make the directory `path` below `mountPoint`, and its parents where they are missing; on version 2 each directory above
   * it hands the controllers down. @returns the directory.
   */
  makeGroup(version: CgroupVersion, mountPoint: string, path: string, controllers: string[]): string;
  /** In the parent: a descriptor for each directory of the group, through which a process moves in. @throws as open(2) */
  openDoors(version: CgroupVersion, directories: string[]): number[];
  /** In the child, which has one thread: the caller moves into the group, through all doors. */
  enter(doors: number[]): void;
  /** What the group has used. What is missing counts 0, and a missing limit is Infinity. */
  usageOf(version: CgroupVersion, directories: GroupDirectories): Usage;
  /**
   * Ask that everything in the group and below it stands still, or goes on.
   * @param directory of the freezer. @returns whether it does by now; the caller asks again if not.
   */
  freeze(version: CgroupVersion, directory: string, frozen: boolean): boolean;
  /**
   * SIGKILL to everything in the group and below it, also to what is forked meanwhile. Nothing is frozen afterwards.
   * @param directories each of the group's once. @param freezer the one of them that freezes.
   */
  killAll(version: CgroupVersion, directories: string[], freezer: string): void;
}
