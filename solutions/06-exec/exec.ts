import { readlinkSync } from 'node:fs';
import type { Scanned, Terminal } from '#contract/exec';
import { PR_SET_DUMPABLE, prctl, setGid, setUid } from '#kernel/credentials';
import * as fds from '#kernel/descriptors';
import { setsid } from '#kernel/execve';
import { CLONE_NEWPID, setns } from '#kernel/namespaces';
import { openPeer, setControllingTerminal, setWindowSize, unlockTerminal } from '#kernel/terminal';
import type { ConsoleSize, Namespace, NamespaceType } from '#spec';

/** The user namespace first: what one may do in the others depends on it. */
const names: [NamespaceType, string][] = [
  ['user', 'user'],
  ['pid', 'pid'],
  ['mount', 'mnt'],
  ['uts', 'uts'],
  ['ipc', 'ipc'],
  ['network', 'net'],
  ['cgroup', 'cgroup'],
];

export function namespacesOf(pid: number): Namespace[] {
  return names
    .map(([type, name]) => ({ type, path: `/proc/${pid}/ns/${name}`, own: `/proc/self/ns/${name}` }))
    .filter(({ path, own }) => readlinkSync(path) !== readlinkSync(own))
    .map(({ type, path }) => ({ type, path }));
}

export function forkInto<T>(namespaces: Namespace[], fork: () => T): T {
  const path = namespaces.find(({ type }) => type === 'pid')?.path;
  if (path === undefined) return undumpable(fork);
  const target = fds.open(path, fds.O_RDONLY);
  const own = fds.open('/proc/self/ns/pid', fds.O_RDONLY);
  try {
    setns(target, CLONE_NEWPID);
    return undumpable(fork);
  } finally {
    setns(own, CLONE_NEWPID);
    fds.close(own);
    fds.close(target);
  }
}

/** What `run` forks inherits it, and so is undumpable from its birth on. */
function undumpable<T>(run: () => T): T {
  prctl(PR_SET_DUMPABLE, 0);
  try {
    return run();
  } finally {
    prctl(PR_SET_DUMPABLE, 1);
  }
}

export function joinContainer(namespaces: Namespace[], enterCgroup: () => void): void {
  enterCgroup();
  const opened = namespaces
    .filter(({ type }) => type !== 'pid')
    .sort((a, b) => Number(b.type === 'user') - Number(a.type === 'user'))
    .map(({ path }) => fds.open(path!, fds.O_RDONLY));
  for (const fd of opened) {
    setns(fd, 0n);
    fds.close(fd);
  }
  if (namespaces.some(({ type }) => type === 'user')) {
    setGid(0);
    setUid(0);
  }
}

export function openTerminal(devpts: number, size?: ConsoleSize): Terminal {
  const flags = fds.O_RDWR | fds.O_NOCTTY;
  const master = fds.openat2(devpts, 'ptmx', flags, fds.RESOLVE_BENEATH | fds.RESOLVE_NO_SYMLINKS);
  unlockTerminal(master);
  const slave = openPeer(master);
  if (size) setWindowSize(slave, size);
  return { master, slave };
}

export function leadSession(slave: number | null): void {
  setsid();
  if (slave !== null) setControllingTerminal(slave);
}

export function resizeTerminal(master: number, size: ConsoleSize): void {
  setWindowSize(master, size);
}

export function detachScanner(keys: Uint8Array): (chunk: Uint8Array) => Scanned {
  const held: number[] = [];
  let detached = false;
  return (chunk) => {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (detached) break;
      held.push(byte);
      while (!held.every((each, index) => each === keys[index])) passed.push(held.shift()!);
      detached = held.length === keys.length;
    }
    return { passed: Uint8Array.from(passed), detached };
  };
}
