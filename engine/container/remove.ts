import path from 'node:path';
import type { Container } from './container.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';
import { forgetSizeLimit, sizeLimit } from './size-limit.ts';
import { hurry, stopLocked } from './stop.ts';
import { giveUpRestart } from './supervise.ts';

export interface RemoveOptions {
  /** Kill it first if it runs. */
  force?: boolean;
  /** Its anonymous volumes too. */
  volumes?: boolean;
}

/** @throws ContainerError `conflict` when it runs and is not to be killed */
export async function remove(engine: Engine, container: Container, options: RemoveOptions): Promise<void> {
  // Said at once, and once more when those that came before are through: one of them may have started it.
  if (!options.force) refuseRunning(container);
  if (options.force) await hurry(engine, container, 0);
  await container.lock.run(async () => {
    // With --rm its end has removed it by the time it is our turn.
    if (engine.containers.get(container.id) !== container) return;
    if (!options.force) refuseRunning(container);
    if (container.restarting) await giveUpRestart(container);
    if (container.running) await stopLocked(engine, container, { signal: 9, timeout: -1 });
    if (engine.containers.get(container.id) === container) await removeContainer(engine, container, options);
  });
}

function refuseRunning({ running, restarting, paused, record: { name } }: Container): void {
  if (!running && !restarting) return;
  throw new ContainerError(
    'conflict',
    `cannot remove container "/${name}": container is ${
      paused
        ? 'paused and must be unpaused first'
        : `${restarting ? 'restarting' : 'running'}: stop the container before removing or force remove`
    }`,
  );
}

/** Remove a container that does not run, for the holder of its lock: all of it at once, wherever it is interrupted. */
export async function removeContainer(engine: Engine, container: Container, { volumes }: RemoveOptions): Promise<void> {
  const { record, paths } = container;
  container.apply('remove');
  try {
    await container.closeFile();
    if (container.shimKnows && engine.shim.connected)
      await engine.shim.request('forget', { key: { container: record.id } });
    // The record goes last, since it is what knows of the volumes.
    if (volumes) removeAnonymousVolumes(engine, container);
    if (sizeLimit(record.hostConfig.StorageOpt) !== undefined) forgetSizeLimit(paths);
    engine.trash.discard(paths.dir);
    await engine.trash.room();
  } catch (error) {
    container.apply('remove-failed');
    throw new ContainerError('failed', `container ${record.name} could not be removed: ${(error as Error).message}`, {
      cause: error,
    });
  }
  for (const exec of container.execs) engine.execs.delete(exec);
  engine.containers.delete(container);
  emitContainerEvent(engine, container, 'destroy');
  container.changes.emit('removed');
}

function removeAnonymousVolumes(engine: Engine, container: Container): void {
  for (const { anonymous, name } of container.record.mounts)
    if (anonymous) engine.trash.discard(path.join(engine.root.volumes, name));
}
