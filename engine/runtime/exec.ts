/** Joining a running container: its namespaces, its cgroup, a terminal of its own. setns(2), pty(7). */

import type { Scanned, Terminal } from '#contract/exec';
import type { NamespaceName } from '#contract/membership';
import { PR_SET_DUMPABLE, prctl, setGid, setUid } from '#kernel/credentials';
import {
  close,
  O_NOCTTY,
  O_RDONLY,
  O_RDWR,
  open,
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
} from '#kernel/descriptors';
import { setsid } from '#kernel/execve';
import { bornInPidNamespace } from '#kernel/fork';
import { CLONE_NEWPID, setns } from '#kernel/namespaces';
import { openPeer, setControllingTerminal, setWindowSize, unlockTerminal } from '#kernel/terminal';
import { inUserNamespace } from '#kernel/user-namespace';
import { membershipOf, separatedBy } from '#membership';
import { enterNamespaces } from '#namespaces';
import type { ConsoleSize, Namespace, NamespaceType } from './spec.ts';

const types: Partial<Record<NamespaceName, NamespaceType>> = {
  cgroup: 'cgroup',
  ipc: 'ipc',
  mnt: 'mount',
  net: 'network',
  pid: 'pid',
  user: 'user',
  uts: 'uts',
};

export function namespacesOf(pid: number): Namespace[] {
  return separatedBy(membershipOf(process.pid), membershipOf(pid)).flatMap((name) => {
    const type = types[name];
    return type === undefined ? [] : [{ type, path: `/proc/${pid}/ns/${name}` }];
  });
}

/**
 * The container's processes see the child from its first moment on. It is a copy of the engine with all that the engine
 * has open, so they must not be able to trace it or to open its /proc/PID/exe, which is the host's Node (CVE-2016-9962,
 * CVE-2019-5736). A child inherits that from its parent; the exec makes it dumpable again.
 */
export function forkInto<T>(namespaces: Namespace[], fork: () => T): T {
  const path = namespaces.find(({ type }) => type === 'pid')?.path;
  prctl(PR_SET_DUMPABLE, 0);
  try {
    return path === undefined ? fork() : withChildrenIn(path, fork);
  } finally {
    prctl(PR_SET_DUMPABLE, 1);
  }
}

/** setns(2) on a PID namespace moves nobody: it decides where the caller's next children are born. */
function withChildrenIn<T>(path: string, fork: () => T): T {
  const own = open('/proc/self/ns/pid', O_RDONLY);
  try {
    const target = open(path, O_RDONLY);
    try {
      if (inUserNamespace()) return bornInPidNamespace(target, fork);
      setns(target, CLONE_NEWPID);
    } finally {
      close(target);
    }
    try {
      return fork();
    } finally {
      setns(own, CLONE_NEWPID);
    }
  } finally {
    close(own);
  }
}

export function joinContainer(namespaces: Namespace[], enterCgroup: () => void): void {
  enterCgroup();
  enterNamespaces(namespaces);
  if (!namespaces.some(({ type }) => type === 'user')) return;
  // The caller's own ids mean nobody in there.
  setGid(0);
  setUid(0);
}

export function openTerminal(devpts: number, size?: ConsoleSize): Terminal {
  const master = openat2(devpts, 'ptmx', O_RDWR | O_NOCTTY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  try {
    unlockTerminal(master);
    const slave = openPeer(master);
    if (size) setWindowSize(slave, size);
    return { master, slave };
  } catch (error) {
    close(master);
    throw error;
  }
}

export function leadSession(slave: number | null): void {
  setsid();
  if (slave !== null) setControllingTerminal(slave);
}

export function resizeTerminal(master: number, size: ConsoleSize): void {
  setWindowSize(master, size);
}

/** What is held back is always a beginning of the sequence: the longest one that what was typed ends in. */
export function detachScanner(keys: Uint8Array): (chunk: Uint8Array) => Scanned {
  const held: number[] = [];
  const isBeginning = () => held.every((byte, index) => byte === keys[index]);
  let detached = false;
  return (chunk) => {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (detached) break;
      held.push(byte);
      while (!isBeginning()) passed.push(held.shift()!);
      detached = held.length === keys.length;
    }
    return { passed: Buffer.from(passed), detached };
  };
}
