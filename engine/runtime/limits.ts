/** Resource limits of one process. getrlimit(2). */

import { KernelError } from '#kernel/errors';
import { getRlimit, setRlimit } from '#kernel/rlimits';
import type { Rlimit } from './spec.ts';

/** What the kernel gives the first process (INR_OPEN_CUR), before Node raised its own to the hard limit. */
const OPEN_FILES_SOFT = 1024;

/**
 * Raise the hard limits of the caller, or of its child `pid`, to those that are asked for, while it still may: that takes
 * CAP_SYS_RESOURCE on the host, which a child in a user namespace does not have. Where it may not, `setRlimits` stays below
 * what there is.
 */
export function raiseHardLimits(rlimits: Rlimit[], pid = 0): void {
  for (const { type, hard } of rlimits) {
    const present = getRlimit(pid, type);
    if (hard <= present.hard) continue;
    try {
      setRlimit(pid, type, { soft: present.soft, hard });
    } catch (error) {
      if (!(error instanceof KernelError && error.code === 'EPERM')) throw error;
    }
  }
}

/**
 * Set the caller's limits, none above the hard limit it has: a container that runs with less than asked is of more use
 * than one that does not.
 */
export function setRlimits(rlimits: Rlimit[]): void {
  if (!rlimits.some(({ type }) => type === 'RLIMIT_NOFILE')) undoNodesOpenFiles();
  for (const { type, soft, hard } of rlimits) {
    const allowed = getRlimit(0, type).hard;
    const capped = Math.min(hard, allowed);
    setRlimit(0, type, { soft: Math.min(soft, capped), hard: capped });
  }
}

function undoNodesOpenFiles(): void {
  const { hard } = getRlimit(0, 'RLIMIT_NOFILE');
  setRlimit(0, 'RLIMIT_NOFILE', { soft: Math.min(OPEN_FILES_SOFT, hard), hard });
}
