/** The options of mount(8) as the kernel takes them. config.md, "Mounts". */

import * as kernel from '#kernel/mounts';

export interface ParsedOptions {
  /** MS_… flags for the mount itself. */
  flags: number;
  /** MOUNT_ATTR_… flags that a bind takes in a second call, since the first ignores them. */
  attributes: bigint;
  /** MS_PRIVATE, MS_SLAVE, … with or without MS_REC, each a call of its own. */
  propagation: number[];
  /** A new tmpfs begins as a copy of what it covers (`tmpcopyup`). */
  copyUp: boolean;
  /** What the file system itself is told, comma-separated. */
  data: string;
}

const set: Record<string, number> = {
  ro: kernel.MS_RDONLY,
  nosuid: kernel.MS_NOSUID,
  nodev: kernel.MS_NODEV,
  noexec: kernel.MS_NOEXEC,
  sync: kernel.MS_SYNCHRONOUS,
  dirsync: kernel.MS_DIRSYNC,
  mand: kernel.MS_MANDLOCK,
  noatime: kernel.MS_NOATIME,
  nodiratime: kernel.MS_NODIRATIME,
  relatime: kernel.MS_RELATIME,
  strictatime: kernel.MS_STRICTATIME,
  lazytime: kernel.MS_LAZYTIME,
  nosymfollow: kernel.MS_NOSYMFOLLOW,
  silent: kernel.MS_SILENT,
  remount: kernel.MS_REMOUNT,
  bind: kernel.MS_BIND,
  rbind: kernel.MS_BIND | kernel.MS_REC,
};

const clear: Record<string, number> = {
  rw: kernel.MS_RDONLY,
  suid: kernel.MS_NOSUID,
  dev: kernel.MS_NODEV,
  exec: kernel.MS_NOEXEC,
  async: kernel.MS_SYNCHRONOUS,
  nomand: kernel.MS_MANDLOCK,
  atime: kernel.MS_NOATIME,
  diratime: kernel.MS_NODIRATIME,
  norelatime: kernel.MS_RELATIME,
  nostrictatime: kernel.MS_STRICTATIME,
  nolazytime: kernel.MS_LAZYTIME,
  symfollow: kernel.MS_NOSYMFOLLOW,
  loud: kernel.MS_SILENT,
  defaults: 0,
};

const propagations: Record<string, number> = {
  private: kernel.MS_PRIVATE,
  rprivate: kernel.MS_PRIVATE | kernel.MS_REC,
  slave: kernel.MS_SLAVE,
  rslave: kernel.MS_SLAVE | kernel.MS_REC,
  shared: kernel.MS_SHARED,
  rshared: kernel.MS_SHARED | kernel.MS_REC,
  unbindable: kernel.MS_UNBINDABLE,
  runbindable: kernel.MS_UNBINDABLE | kernel.MS_REC,
};

const bindAttributes: [flag: number, attribute: bigint][] = [
  [kernel.MS_RDONLY, kernel.MOUNT_ATTR_RDONLY],
  [kernel.MS_NOSUID, kernel.MOUNT_ATTR_NOSUID],
  [kernel.MS_NODEV, kernel.MOUNT_ATTR_NODEV],
  [kernel.MS_NOEXEC, kernel.MOUNT_ATTR_NOEXEC],
];

type Change = [set: bigint, clear: bigint];

/** What a bind takes in a call of its own and is not a flag of lab `rootfs`. */
const ofBinds: Record<string, Change> = {
  relatime: [0n, kernel.MOUNT_ATTR__ATIME],
  noatime: [kernel.MOUNT_ATTR_NOATIME, kernel.MOUNT_ATTR__ATIME],
  strictatime: [kernel.MOUNT_ATTR_STRICTATIME, kernel.MOUNT_ATTR__ATIME],
  atime: [0n, kernel.MOUNT_ATTR__ATIME],
  norelatime: [kernel.MOUNT_ATTR_STRICTATIME, kernel.MOUNT_ATTR__ATIME],
  nostrictatime: [0n, kernel.MOUNT_ATTR__ATIME],
  nodiratime: [kernel.MOUNT_ATTR_NODIRATIME, 0n],
  diratime: [0n, kernel.MOUNT_ATTR_NODIRATIME],
  nosymfollow: [kernel.MOUNT_ATTR_NOSYMFOLLOW, 0n],
  symfollow: [0n, kernel.MOUNT_ATTR_NOSYMFOLLOW],
};

/** For a mount and all below it. config.md, "Linux mount options". */
const recursives: Record<string, Change> = {
  rro: [kernel.MOUNT_ATTR_RDONLY, 0n],
  rrw: [0n, kernel.MOUNT_ATTR_RDONLY],
  rnosuid: [kernel.MOUNT_ATTR_NOSUID, 0n],
  rsuid: [0n, kernel.MOUNT_ATTR_NOSUID],
  rnodev: [kernel.MOUNT_ATTR_NODEV, 0n],
  rdev: [0n, kernel.MOUNT_ATTR_NODEV],
  rnoexec: [kernel.MOUNT_ATTR_NOEXEC, 0n],
  rexec: [0n, kernel.MOUNT_ATTR_NOEXEC],
  ...Object.fromEntries(Object.entries(ofBinds).map(([name, change]) => [`r${name}`, change])),
};

/** Of a whole file system; one that is bound is mounted already. */
const ofFileSystems = new Set([
  'sync',
  'async',
  'dirsync',
  'mand',
  'nomand',
  'lazytime',
  'nolazytime',
  'silent',
  'loud',
]);

/** Every option that is not left to the file system itself. */
export const mountOptionNames = [
  ...[set, clear, propagations, recursives].flatMap((table) => Object.keys(table)),
  'tmpcopyup',
].sort();

export function parseMountOptions(options: string[] = []): ParsedOptions {
  let flags = 0;
  const propagation: number[] = [];
  const data: string[] = [];
  for (const option of options) {
    if (Object.hasOwn(set, option)) flags |= set[option]!;
    else if (Object.hasOwn(clear, option)) flags &= ~clear[option]!;
    else if (Object.hasOwn(propagations, option)) propagation.push(propagations[option]!);
    else if (option !== 'tmpcopyup') data.push(option);
  }
  const attributes = bindAttributes.reduce((mask, [flag, attribute]) => (flags & flag ? mask | attribute : mask), 0n);
  const copyUp = options.includes('tmpcopyup');
  return { flags, attributes, propagation, copyUp, data: data.join(',') };
}

/** What is to be changed at a mount: MOUNT_ATTR_… flags. mount_setattr(2). */
export interface AttributeChange {
  /** The options that say so. */
  names: string[];
  set: bigint;
  clear: bigint;
}

/** For a mount and all below it. */
export function recursiveChange(options: string[] = []): AttributeChange {
  return changeBy(recursives, options);
}

/** For a bind alone, beyond the flags of `parseMountOptions`, which mount(2) passes over where it binds. */
export function changeOfBind(options: string[] = []): AttributeChange {
  return changeBy(ofBinds, options);
}

/** The later of two options that contradict each other counts. */
function changeBy(table: Record<string, Change>, options: string[]): AttributeChange {
  const names = options.filter((option) => Object.hasOwn(table, option));
  let [set, clear] = [0n, 0n];
  for (const name of names) {
    const [more, less] = table[name]!;
    set = (set & ~less) | more;
    clear |= less;
  }
  return { names, set, clear };
}

/** The options that mean nothing for a bind: the kernel passes them over. mount(2), "Creating a bind mount". */
export function optionsWithoutUseForBind(options: string[] = []): string[] {
  return options.filter((option) => ofFileSystems.has(option) || !mountOptionNames.includes(option));
}
