import { setTimeout as delay } from 'node:timers/promises';
import { isFrozen, setFrozen } from '../runtime/cgroups/freezer.ts';
import { whyNoCgroups } from '../runtime/cgroups/host.ts';
import { cgroupOf } from './cgroup.ts';
import { type Container, requireRunning } from './container.ts';
import { hasEnded, untilEnded } from './ending.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';

/** Milliseconds that processes have to stop, and those that are about to join a container to do so. */
const PATIENCE = 5_000;

/**
 * Stop every process of a container where it stands, until it is unpaused or ended.
 * @throws ContainerError `conflict` in Docker's words when it does not run or is paused, `unsupported` without control groups
 */
export async function pauseContainer(engine: Engine, container: Container): Promise<void> {
  await container.lock.run(async () => {
    requireRunning(container);
    if (container.paused) throw new ContainerError('conflict', `Container ${container.id} is already paused`);
    const why = whyNoCgroups();
    if (why !== null)
      throw new ContainerError('unsupported', `container ${container.record.name} cannot be paused: ${why}`);
    const release = await standStill(engine, container);
    if (release === null) throw new ContainerError('conflict', `container ${container.id} is not running`);
    try {
      container.apply('pause');
    } finally {
      release();
    }
    await container.save();
    emitContainerEvent(engine, container, 'pause');
  });
}

/** @throws ContainerError `conflict` when it is not paused */
export async function unpauseContainer(engine: Engine, container: Container): Promise<void> {
  await container.lock.run(async () => {
    if (!container.paused) throw new ContainerError('conflict', `Container ${container.id} is not paused`);
    await unpauseLocked(engine, container);
  });
}

/**
 * Stop every process of a running container where it stands, for the holder of its lock. Nothing joins it before the
 * returned function has been called.
 * @returns null when it has ended instead, which has been told then.
 * @throws ContainerError `conflict` when its processes do not stop
 */
export async function standStill(engine: Engine, container: Container): Promise<(() => void) | null> {
  const release = await container.joins.close(PATIENCE);
  try {
    const deadline = performance.now() + PATIENCE;
    while (!hasEnded(container)) {
      try {
        freeze(engine, container);
        return release;
      } catch (error) {
        // On its way out a process does not stop any more; one in a call that cannot be interrupted may do so later.
        if (performance.now() > deadline && !hasEnded(container))
          throw new ContainerError('conflict', `container ${container.record.name}: ${(error as Error).message}`);
      }
      await delay(5);
    }
    await untilEnded(engine, container);
    release();
    return null;
  } catch (error) {
    release();
    throw error;
  }
}

/** Let a paused container go on. The caller holds its lock, or is about to see it end. */
export async function unpauseLocked(engine: Engine, container: Container): Promise<void> {
  goOn(engine, container);
  if (!container.paused) return;
  container.apply('unpause');
  emitContainerEvent(engine, container, 'unpause');
  await container.save();
}

/** On version 2 a frozen process dies of SIGKILL where it stands, and its cgroup may have gone by now. */
export function goOn(engine: Engine, container: Container): void {
  try {
    thaw(engine, container);
  } catch (error) {
    if (isFrozen(cgroupOf(engine.root, container.record))) throw error;
  }
}

/**
 * Make record and freezer agree again after a daemon that was killed: what an interrupted pause or commit left standing
 * goes on, since nobody was told that it stands; what an interrupted unpause let go on counts as running.
 * @returns whether the record is another now
 */
export function settlePause(engine: Engine, container: Container): boolean {
  try {
    if (isFrozen(cgroupOf(engine.root, container.record)) === container.paused) return false;
    if (container.paused) {
      container.apply('unpause');
      return true;
    }
    thaw(engine, container);
  } catch (error) {
    engine.warn(
      `container ${container.record.name} stands still and could not be let go on: ${(error as Error).message}`,
    );
  }
  return false;
}

/** @throws Error when the processes do not stop, with all of them going on. */
function freeze(engine: Engine, container: Container): void {
  setFrozen(cgroupOf(engine.root, container.record), true);
}

function thaw(engine: Engine, container: Container): void {
  setFrozen(cgroupOf(engine.root, container.record), false);
}
