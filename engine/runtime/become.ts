/** The last steps of a child, the same for a container's first process and for one that joins it: who it runs as. */

import { fchownSync, fstatSync } from 'node:fs';
import type { SeccompFilter } from '#contract/privileges';
import type { Program } from '#contract/process';
import * as credentials from '#kernel/credentials';
import { pollIn } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { umask } from '#kernel/execve';
import { makedev } from '#kernel/nodes';
import { confine } from '#privileges';
import type { Holds } from './holds.ts';
import { raiseHardLimits, setRlimits } from './limits.ts';
import { readyToExecute } from './ready.ts';
import type { Process } from './spec.ts';
import { step } from './step.ts';
import { type Identity, lookUpIdentity } from './user.ts';

const SIGKILL = 9;
const DEFAULT_UMASK = 0o022;

export interface Become {
  process: Process;
  /** What will be executed; its environment is completed here. */
  program: Program;
  /** A pidfd of the parent. */
  parent: number;
  /** Null for none. */
  seccomp: SeccompFilter | null;
  holds?: Holds;
}

/**
 * Called in the container's root, with all of its root's powers. The kernel forces the order: descriptors are given away while
 * that is still permitted; groups have to change before the user does; a change of user forgets the parent-death
 * signal, so that comes after it.
 */
export function becomeUser({ process, program, parent, seccomp, holds }: Become): void {
  const identity = step('user', () => lookUpIdentity(process));
  step('standard streams', () => giveStreams(program.stdio, identity.uid));
  completeEnvironment(program, identity);
  umask(process.user.umask ?? DEFAULT_UMASK);
  step('rlimits', () => raiseHardLimits(process.rlimits ?? []));
  confine({
    capabilities: process.capabilities ?? {},
    noNewPrivileges: process.noNewPrivileges ?? false,
    filter: seccomp,
    changeUser: () => step('user', () => switchUser(identity)),
    beforeFilter: () => {
      dieWithParent(parent);
      holds?.beforeProgram?.(program, seccomp);
      // After the filter there is nothing but the exec: what else is called would have to be allowed by it.
      step('standard streams', () => readyToExecute(program));
      // Late, since a small limit would stop this process itself.
      step('rlimits', () => setRlimits(process.rlimits ?? []));
    },
  });
}

/** The kernel ends the caller when its parent ends; if the parent has ended already, nobody would. prctl(2). */
export function dieWithParent(parent: number): void {
  credentials.prctl(credentials.PR_SET_PDEATHSIG, SIGKILL);
  if (pollIn(parent, 0)) throw new Error('The shim has ended.');
}

/** So that the program can open /dev/stdout again, which asks for the right to open the pipe or terminal behind it. */
function giveStreams(stdio: Program['stdio'], uid: number): void {
  for (const fd of new Set(stdio)) {
    const { rdev, uid: owner } = fstatSync(fd);
    if (BigInt(rdev) !== makedev(1, 3) && owner !== uid) fchownUnlessForbidden(fd, uid);
  }
}

/** A stream that somebody brought along may be a file of an owner whom this user namespace does not have, or a read-only one. */
function fchownUnlessForbidden(fd: number, uid: number): void {
  try {
    fchownSync(fd, uid, -1);
  } catch (error) {
    if (!['EPERM', 'EINVAL', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function completeEnvironment(program: Program, { home }: Identity): void {
  if (!program.env.some((variable) => variable.startsWith('HOME='))) program.env.push(`HOME=${home}`);
}

function switchUser({ uid, gid, groups }: Identity): void {
  explained('gid', gid, credentials.setGid);
  setGroups(groups, gid);
  explained('uid', uid, credentials.setUid);
}

/** The kernel says EINVAL of an id that the user namespace does not have. */
function explained(kind: 'uid' | 'gid', id: number, change: (id: number) => void): void {
  try {
    change(id);
  } catch (error) {
    if (!(error instanceof KernelError && error.code === 'EINVAL')) throw error;
    throw new Error(
      `There is no ${kind} ${id} here: the user namespace has none. Without root, give the user who runs the engine a larger range in /etc/sub${kind}.`,
    );
  }
}

/**
 * A user namespace made without CAP_SETGID has setgroups(2) denied for good; there is nothing to drop in it then, and
 * nothing to keep but the primary group, which cannot be given up in there either.
 */
function setGroups(groups: number[], primary: number): void {
  try {
    credentials.setGroups(groups);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.code === 'EINVAL')
      throw new Error(`There is a group among ${groups} that the user namespace does not have.`);
    if (error.code !== 'EPERM' || groups.some((group) => group !== primary)) throw error;
  }
}
