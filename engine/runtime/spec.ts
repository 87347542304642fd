/**
 * The part of the OCI runtime specification (config.json) this engine acts on.
 * Names and meanings are the specification's own: https://github.com/opencontainers/runtime-spec
 */

import type { Profile } from './seccomp/profile.ts';

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup';

/** config-linux.md, "Namespaces". Without `path` a new namespace is made; with it that one is joined. */
export interface Namespace {
  type: NamespaceType;
  path?: string;
}

/** Whether what is mounted is mounted for the container alone. */
export function hasOwnMounts(namespaces: Namespace[]): boolean {
  return namespaces.some(({ type }) => type === 'mount');
}

/** config-linux.md, "User namespace mappings". Ids are 0…2³²−2, `size` ≥ 1. */
export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

/** config.md, "Mounts". `options` are those of mount(8) plus the specification's own. */
export interface Mount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
}

/** config.md, "POSIX process → user". */
export interface User {
  uid: number;
  gid: number;
  umask?: number;
  additionalGids?: number[];
}

/** setrlimit(2). `type` is e.g. `RLIMIT_NOFILE`; `soft` ≤ `hard`. */
export interface Rlimit {
  type: string;
  soft: number;
  hard: number;
}

export type CapabilitySet = 'bounding' | 'effective' | 'inheritable' | 'permitted' | 'ambient';
export type Capabilities = Partial<Record<CapabilitySet, string[]>>;

export interface ConsoleSize {
  height: number;
  width: number;
}

/** config.md, "Process". */
export interface Process {
  terminal?: boolean;
  consoleSize?: ConsoleSize;
  cwd: string;
  env: string[];
  args: string[];
  user: User;
  /**
   * Beyond the specification: `user[:group]` by name or number as Docker's `--user` has it, looked up in the
   * container's own /etc/passwd and /etc/group once its root is in place. Overrides `user`.
   */
  userSpec?: string;
  /** Beyond the specification: supplementary groups by name or number, looked up in the container's own /etc/group. */
  groupSpecs?: string[];
  /** Beyond the specification: the program runs below a process 1 that hands signals on to it and reaps. */
  init?: boolean;
  rlimits?: Rlimit[];
  capabilities?: Capabilities;
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
}

/** config-linux.md, "Control groups". Memory in bytes, CPU quota and period in microseconds. */
export interface Resources {
  memory?: {
    limit?: number;
    reservation?: number;
    swap?: number;
    kernel?: number;
    kernelTCP?: number;
    swappiness?: number;
    disableOOMKiller?: boolean;
    useHierarchy?: boolean;
    checkBeforeUpdate?: boolean;
  };
  cpu?: {
    shares?: number;
    quota?: number;
    burst?: number;
    period?: number;
    realtimeRuntime?: number;
    realtimePeriod?: number;
    cpus?: string;
    mems?: string;
    idle?: number;
  };
  pids?: { limit: number };
  blockIO?: BlockIo;
  hugepageLimits?: { pageSize: string; limit: number }[];
  network?: { classID?: number; priorities?: { name: string; priority: number }[] };
  /** By the name of the device. */
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>;
  /** Files of the v2 tree and what is written into them. */
  unified?: Record<string, string>;
  /** In the order they apply. Absent: the usual devices and those of `linux.devices`, nothing else. */
  devices?: DeviceRule[];
}

/** config-linux.md, "Block IO". Weights are 10 to 1000, rates bytes or operations a second. */
export interface BlockIo {
  weight?: number;
  leafWeight?: number;
  weightDevice?: { major: number; minor: number; weight?: number; leafWeight?: number }[];
  throttleReadBpsDevice?: ThrottledDevice[];
  throttleWriteBpsDevice?: ThrottledDevice[];
  throttleReadIOPSDevice?: ThrottledDevice[];
  throttleWriteIOPSDevice?: ThrottledDevice[];
}

export interface ThrottledDevice {
  major: number;
  minor: number;
  rate: number;
}

/** config-linux.md, "Allowed Device list". Absent `type` is all, absent numbers are any, absent `access` is `rwm`. */
export interface DeviceRule {
  allow: boolean;
  type?: 'a' | 'b' | 'c';
  major?: number;
  minor?: number;
  access?: string;
}

/** config-linux.md, "Devices". */
export interface Device {
  type: 'c' | 'b' | 'p' | 'u';
  path: string;
  major: number;
  minor: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
}

/** Kernel documentation, filesystems/overlayfs. `lower` is topmost first. */
export interface OverlayRoot {
  lower: string[];
  upper: string;
  work: string;
}

export interface Root {
  /** An absolute path on the host; with `overlay`, the directory the overlay is mounted on (it stays empty outside). */
  path: string;
  readonly?: boolean;
  /**
   * Beyond the specification: the root is mounted by the container itself, inside its own mount namespace, so that no
   * mount of it ever exists on the host and none can be left behind.
   */
  overlay?: OverlayRoot;
  /** Beyond the specification: with an overlay, in a new user namespace. See `MappedState`. */
  mapped?: MappedState;
}

/**
 * The layers of an overlay, and what else of the engine's is mounted, belong on the disk to whom they belong in the
 * container, whatever its user namespace calls them: id-mapped mounts, mount_setattr(2). So one tree of layers serves
 * containers with and without a user namespace, and a container's changes are those of its image's users.
 */
export interface MappedState {
  /** All such files are below it, and so is the root's path. Every user must be able to pass through what it lies in. */
  directory: string;
  /** A directory below it that is put to other use in the container's mount namespace until the root is in place. */
  scratch: string;
}

export interface Linux {
  namespaces: Namespace[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  resources?: Resources;
  /** The cgroup's path below each hierarchy's root, e.g. `/skiff/3f2a/0123456789ab`. */
  cgroupsPath?: string;
  devices?: Device[];
  maskedPaths?: string[];
  readonlyPaths?: string[];
  sysctl?: Record<string, string>;
  /**
   * The system calls that are refused; none if absent. Beyond the specification, which has only rules without conditions:
   * `default` is Docker's own profile, and others may be in Docker's form too.
   */
  seccomp?: 'default' | Profile;
  rootfsPropagation?: 'private' | 'slave' | 'shared' | 'rshared' | 'unbindable';
}

export interface Spec {
  ociVersion: string;
  hostname?: string;
  domainname?: string;
  root: Root;
  process: Process;
  mounts: Mount[];
  linux: Linux;
  annotations?: Record<string, string>;
}
