/** What a container is up to, asked of the kernel each time. runtime.md, "State". */

import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { isOver, processStat } from '#kernel/process-stat';
import { isFrozen } from '../cgroups/freezer.ts';
import { type ContainerRecord, directoryOf, type ProcessName } from './record.ts';

/** `paused` is beyond the specification's four, as the specification allows; runc and crun have it too. */
export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** The FIFO by which `start` lets a created container go. */
export const START_FIFO = 'exec.fifo';
/** Its name while the container is being made. */
export const UNREADY_FIFO = 'exec.fifo.new';

export function statusOf(root: string, { id, creator, init, cgroupsPath }: ContainerRecord): Status {
  if (init === undefined) return isAlive(creator) ? 'creating' : 'stopped';
  if (!isAlive(init)) return 'stopped';
  if (existsSync(join(directoryOf(root, id), UNREADY_FIFO))) return 'creating';
  if (isWaiting(join(directoryOf(root, id), START_FIFO))) return 'created';
  return isFrozen(cgroupsPath) ? 'paused' : 'running';
}

/** Neither gone nor a zombie, and not another one with the same pid. */
export function isAlive({ pid, startTime }: ProcessName): boolean {
  const stat = processStat(pid);
  return !isOver(stat) && stat?.startTime === startTime;
}

/**
 * Whether a process has the FIFO open to read: the container's first one has until its exec closes it. A FIFO without a
 * reader cannot be opened for writing (ENXIO). fifo(7).
 */
function isWaiting(fifo: string): boolean {
  try {
    closeSync(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}
