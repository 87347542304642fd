import { close, pollIn } from '#kernel/descriptors';
import { pidfdOpen } from '#kernel/pidfd';
import { hostCgroups } from './host.ts';
import { checkOurs, releaseParents } from './parents.ts';

const PATIENCE_MILLISECONDS = 2_000;

/**
 * Kill everything in the cgroup `cgroupsPath` of ours and below it, and remove it: what a shim that was killed left
 * behind. Nothing happens when there is none. Returns when it is done, at the latest after two seconds.
 * @returns false when a process would not end and its cgroup is still there.
 * @throws Error when the path is not below ours.
 */
export function sweepCgroups(cgroupsPath: string): boolean {
  checkOurs(cgroupsPath);
  const cgroup = hostCgroups().find(cgroupsPath);
  if (cgroup === null) return true;
  const deadline = Date.now() + PATIENCE_MILLISECONDS;
  do {
    const pids = cgroup.processes();
    cgroup.killAll();
    for (const pid of pids) awaitEnd(pid, deadline - Date.now());
  } while (!cgroup.remove() && Date.now() < deadline);
  releaseParents(cgroupsPath);
  return hostCgroups().find(cgroupsPath) === null;
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
