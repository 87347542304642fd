import { close } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { pidfdOpen, pidfdSendSignal } from '#kernel/pidfd';
import { kill } from '#kernel/signals';
import { setFrozen } from '../cgroups/freezer.ts';
import { hostCgroups } from '../cgroups/host.ts';
import { RuntimeError } from './error.ts';
import type { ContainerRecord, ProcessName } from './record.ts';
import { isAlive, statusOf } from './status.ts';

const SIGKILL = 9;

/** @throws RuntimeError when there is no process to hear it. */
export function signalInit(root: string, record: ContainerRecord, signal: number): void {
  const { init } = record;
  const status = statusOf(root, record);
  if (init === undefined || status === 'stopped' || !sendSignal(init, signal))
    throw new RuntimeError('container not running');
  // With v1's freezer even a killed process has to go on before it can die.
  if (signal === SIGKILL && status === 'paused') setFrozen(record.cgroupsPath, false);
}

/** To every process in the container's cgroup. That there are none is not a failure. */
export function signalAll({ cgroupsPath }: ContainerRecord, signal: number): void {
  const cgroup = hostCgroups().find(cgroupsPath);
  if (cgroup === null) return;
  if (signal === SIGKILL) {
    cgroup.killAll();
    return;
  }
  for (const pid of cgroup.processes()) {
    try {
      kill(pid, signal);
    } catch (error) {
      if (!(error instanceof KernelError && error.code === 'ESRCH')) throw error;
    }
  }
}

/** @returns false when that process has ended: the process that has its pid now does not count. */
function sendSignal(init: ProcessName, signal: number): boolean {
  try {
    const pidfd = pidfdOpen(init.pid);
    try {
      if (!isAlive(init)) return false;
      pidfdSendSignal(pidfd, signal);
      return true;
    } finally {
      close(pidfd);
    }
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ESRCH') return false;
    throw error;
  }
}
