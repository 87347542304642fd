import { existsSync } from 'node:fs';
import { close, pollIn } from '#kernel/descriptors';
import { pidfdOpen } from '#kernel/pidfd';
import { killUnlessGone } from '../cgroups/files.ts';
import { hostCgroups } from '../cgroups/host.ts';
import { releaseParents } from '../cgroups/parents.ts';
import { checkContainerId } from './container-id.ts';
import { RuntimeError } from './error.ts';
import { runHooks } from './hooks.ts';
import { type ContainerRecord, directoryOf, findRecord, removeRecord } from './record.ts';
import { stateOf } from './state.ts';
import { isAlive, statusOf } from './status.ts';

const PATIENCE_MILLISECONDS = 10_000;

/**
 * Remove what there is of a container: its processes, when `force`; its cgroup; its record. What is gone already is passed
 * over, so a delete that was interrupted can be done again.
 * @throws RuntimeError when it is not stopped and not forced, or does not exist and not forced.
 */
export function deleteContainer(root: string, name: string, force: boolean): void {
  const id = checkContainerId(name);
  const record = findRecord(root, id);
  if (record === null) {
    if (!force && !existsSync(directoryOf(root, id))) throw new RuntimeError(`container does not exist: ${id}`);
    removeRecord(root, id);
    return;
  }
  const status = statusOf(root, record);
  if (status !== 'stopped' && !force)
    throw new RuntimeError(`cannot delete container ${id} that is not stopped: ${status}. Kill it, or use --force.`);
  clearCgroup(record);
  try {
    runHooks('poststop', record.config.hooks, stateOf(record, 'stopped'), record.bundle);
  } finally {
    removeRecord(root, id);
  }
}

/** Whatever is left in it dies: also what a first process without a PID namespace of its own left behind. */
export function clearCgroup({ cgroupsPath, init }: ContainerRecord): void {
  const deadline = Date.now() + PATIENCE_MILLISECONDS;
  for (;;) {
    const cgroup = hostCgroups().find(cgroupsPath);
    // A container that was killed while it was being made may not be in its cgroup yet.
    const alive = init && isAlive(init) ? [init.pid] : [];
    const pids = [...(cgroup?.processes() ?? []), ...alive];
    cgroup?.killAll();
    for (const pid of alive) killUnlessGone(pid);
    for (const pid of pids) awaitEnd(pid, deadline);
    if ((cgroup === null || cgroup.remove()) && alive.length === 0) break;
    if (Date.now() > deadline)
      throw new RuntimeError(`The processes in the cgroup ${cgroupsPath} do not end; try again.`);
  }
  releaseParents(cgroupsPath);
}

/** A pidfd can be read from once its process has ended. */
function awaitEnd(pid: number, deadline: number): void {
  try {
    const pidfd = pidfdOpen(pid);
    pollIn(pidfd, Math.max(0, deadline - Date.now()));
    close(pidfd);
  } catch {
    // ESRCH: it has ended already.
  }
}
