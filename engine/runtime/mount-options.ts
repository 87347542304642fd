/** The options of mount(8) as the kernel takes them. config.md, "Mounts". */

import * as kernel from '#kernel/mounts';

export interface ParsedOptions {
  /** MS_… flags for the mount itself. */
  flags: number;
  /** MOUNT_ATTR_… flags that a bind takes in a second call, since the first ignores them. */
  attributes: bigint;
  /** MS_PRIVATE, MS_SLAVE, … with or without MS_REC, each a call of its own. */
  propagation: number[];
  /** MOUNT_ATTR_… flags for this mount and all below it. */
  recursive: bigint;
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

const recursives: Record<string, bigint> = {
  rro: kernel.MOUNT_ATTR_RDONLY,
  rnosuid: kernel.MOUNT_ATTR_NOSUID,
  rnodev: kernel.MOUNT_ATTR_NODEV,
  rnoexec: kernel.MOUNT_ATTR_NOEXEC,
};

/** Every option that is not left to the file system itself. */
export const mountOptionNames = [
  ...[set, clear, propagations, recursives].flatMap((table) => Object.keys(table)),
  'tmpcopyup',
].sort();

export function parseMountOptions(options: string[] = []): ParsedOptions {
  let flags = 0;
  let recursive = 0n;
  const propagation: number[] = [];
  const data: string[] = [];
  for (const option of options) {
    if (Object.hasOwn(set, option)) flags |= set[option]!;
    else if (Object.hasOwn(clear, option)) flags &= ~clear[option]!;
    else if (Object.hasOwn(propagations, option)) propagation.push(propagations[option]!);
    else if (Object.hasOwn(recursives, option)) recursive |= recursives[option]!;
    else if (option !== 'tmpcopyup') data.push(option);
  }
  const attributes = bindAttributes.reduce((mask, [flag, attribute]) => (flags & flag ? mask | attribute : mask), 0n);
  const copyUp = options.includes('tmpcopyup');
  return { flags, attributes, propagation, recursive, copyUp, data: data.join(',') };
}
