import { close, pollIn } from '#kernel/descriptors';
import { pidfdOpen } from '#kernel/pidfd';
import type { Cgroup } from './driver.ts';
import { hostCgroups } from './host.ts';
import { releaseParents } from './parents.ts';

const PATIENCE_MILLISECONDS = 2_000;

/**
 * Kill everything in the cgroup `cgroupsPath` of ours and below it, and remove it: what a shim that was killed left
 * behind. Nothing happens when there is none. Returns when it is done, at the latest after two seconds.
 * @returns false when a process would not end and its cgroup is still there.
 */
export function sweepCgroups(cgroupsPath: string): boolean {
  const cgroup = hostCgroups().find(cgroupsPath);
  if (cgroup === null) return true;
  const deadline = Date.now() + PATIENCE_MILLISECONDS;
  do {
    const pids = cgroup.processes();
    cgroup.killAll();
    for (const pid of pids) awaitEnd(pid, deadline - Date.now());
  } while (!cgroup.remove() && Date.now() < deadline);
  releaseParents(cgroupsPath);
  return isGone(cgroupsPath);
}

function isGone(path: string): boolean {
  const left: Cgroup | null = hostCgroups().find(path);
  return left === null;
}

/** A pidfd can be read from once its process has ended. */
function awaitEnd(pid: number, milliseconds: number): void {
  try {
    const pidfd = pidfdOpen(pid);
    pollIn(pidfd, Math.max(0, milliseconds));
    close(pidfd);
  } catch {
    // ESRCH: it has ended already.
  }
}
