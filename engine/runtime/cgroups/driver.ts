/** What a container needs of control groups, whichever of the two interfaces the host has. cgroups(7). */

import type { CgroupVersion, Usage } from '#contract/cgroups';
import type { Device, Resources } from '../spec.ts';

/** The way of a child into its cgroup. The descriptors are opened by the parent, with the parent's rights. */
export interface Entrance {
  /** In the parent, around the fork. */
  aroundFork<T>(fork: () => T): T;
  /** In the child, while it has one thread: move the caller in, unless it was born there. */
  join(): void;
  /** In the parent, after the fork. */
  close(): void;
}

export interface CgroupStats {
  /** Bytes, page cache included. */
  memoryUsage: number;
  /** Bytes; Infinity for none. */
  memoryLimit: number;
  /** Nanoseconds; null where the host does not count them for this cgroup. */
  cpuUsage: number | null;
  processes: number;
}

/** Everything that is counted, as far as the host counts it. */
export interface CgroupUsage extends Usage {
  version: CgroupVersion;
  /** Null where the cgroup is in no hierarchy that counts it. */
  io: { bytes: IoCount[]; operations: IoCount[] } | null;
}

export interface IoCount {
  major: number;
  minor: number;
  /** `read` and `write`; on v1 `Read`, `Write` and more. */
  operation: string;
  value: number;
}

/** One container's cgroup: on v1, one directory in each hierarchy it is in. */
export interface Cgroup {
  openEntrance(): Entrance;
  /** The pids in it and below it, in the reader's PID namespace. */
  processes(): number[];
  /** SIGKILL to everything in it and below it, also to what forks meanwhile. */
  killAll(): void;
  /** How many of its processes the kernel killed because it ran out of memory. */
  outOfMemoryKills(): number;
  /**
   * Call `listener` whenever it has run out of memory. The kill that follows may not be counted yet then.
   * @returns a function that ends it. @throws Error where the kernel does not tell.
   */
  watchMemory(listener: () => void): () => void;
  stats(): CgroupStats;
  usage(): CgroupUsage;
  /**
   * Set the limits that `resources` names while it is in use; the others stay.
   * @throws Error that names the file and the value the kernel refused; those before it are set then.
   */
  update(resources: Resources): void;
  /**
   * Remove it with everything below. @returns false while a process is still in it, which is the case for a moment
   * after a kill: try again when the process has been reaped.
   */
  remove(): boolean;
}

export interface CgroupRequest {
  /** Below the root of each hierarchy, e.g. `/skiff/3f2a/0123456789ab`. */
  path: string;
  resources: Resources;
  /** Devices the container has besides the usual ones. */
  devices: Device[];
}

export interface CgroupDriver {
  readonly version: 1 | 2;
  /**
   * Make the cgroup, its parents where they are missing, and set its limits. Nothing is left when it fails.
   * @throws Error that names the file and the value the kernel refused, or what the host lacks.
   */
  create(request: CgroupRequest): Cgroup;
  /** The cgroups at and below `path`, to be swept; null when there are none. */
  find(path: string): Cgroup | null;
  /** Remove the cgroup `path` if nothing is in it. @returns whether it is gone. */
  removeEmpty(path: string): boolean;
}
