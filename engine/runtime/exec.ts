/** Another process in a running container: it joins what the container's first process is in. setns(2). */

import type { NamespaceName } from '#contract/membership';
import type { Child } from '#contract/process';
import { PR_SET_DUMPABLE, prctl, setGid, setUid } from '#kernel/credentials';
import { close, O_RDONLY, open } from '#kernel/descriptors';
import { setsid } from '#kernel/execve';
import { CLONE_NEWPID, setns } from '#kernel/namespaces';
import { membershipOf, separatedBy } from '#membership';
import { enterNamespaces } from '#namespaces';
import { becomeUser } from './become.ts';
import type { Cgroup } from './cgroups/driver.ts';
import { type ChildSide, launch, type Started, type Starter, type Streams, waitForParent } from './launch.ts';
import type { SeccompFilter } from './seccomp/compile.ts';
import type { Namespace, NamespaceType, Process } from './spec.ts';
import { startErrorOf } from './start-error.ts';
import { step } from './step.ts';
import { takeTerminal } from './terminal.ts';

/** The container to join. */
export interface Joined {
  /** Its first process, a child of the caller that has not been reaped, so the pid cannot mean another one. */
  pid: number;
  cgroup: Cgroup | null;
  /** What its first process is under. */
  seccomp: SeccompFilter | null;
}

/** Start `process` in a container. It runs its program when this resolves. @throws StartError */
export async function execInContainer(
  { pid, cgroup, seccomp }: Joined,
  process: Process,
  streams: Streams,
  starter: Starter,
): Promise<Started> {
  try {
    const namespaces = step('namespaces', () => namespacesOf(pid));
    return await launch({
      process,
      streams,
      cgroup,
      seccomp,
      starter,
      cloneFlags: 0n,
      prepare: (child) => join(namespaces, process, child),
      aroundFork: (fork) => forkInto(namespaces, fork),
    });
  } catch (error) {
    throw startErrorOf(error);
  }
}

const types: Partial<Record<NamespaceName, NamespaceType>> = {
  cgroup: 'cgroup',
  ipc: 'ipc',
  mnt: 'mount',
  net: 'network',
  pid: 'pid',
  user: 'user',
  uts: 'uts',
};

/** The namespaces the container does not share with the caller. */
function namespacesOf(pid: number): Namespace[] {
  return separatedBy(membershipOf(process.pid), membershipOf(pid)).flatMap((name) => {
    const type = types[name];
    return type === undefined ? [] : [{ type, path: `/proc/${pid}/ns/${name}` }];
  });
}

/** setns(2) on a PID namespace moves nobody: it decides where the caller's next children are born. */
function forkInto(namespaces: Namespace[], fork: () => Child): Child {
  const path = namespaces.find(({ type }) => type === 'pid')?.path;
  if (path === undefined) return fork();
  const own = open('/proc/self/ns/pid', O_RDONLY);
  try {
    const target = open(path, O_RDONLY);
    try {
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

/** In the child. */
function join(namespaces: Namespace[], process: Process, child: ChildSide): void {
  const { cgroup, terminal, program, parent, go, seccomp } = child;
  waitForParent({ parent, go });
  cgroup?.join();
  step('namespaces', () => enterNamespaces(namespaces));
  if (namespaces.some(({ type }) => type === 'user')) becomeRootOfJoined();
  setsid();
  if (terminal) takeTerminal('/', terminal);
  becomeUser({ process, program, parent, seccomp });
}

/** The caller's own ids mean nobody in the joined user namespace, and what nobody makes there has no owner. */
function becomeRootOfJoined(): void {
  setGid(0);
  setUid(0);
  prctl(PR_SET_DUMPABLE, 1);
}
