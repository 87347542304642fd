import type { Exited, OutOfMemory } from '../runtime/shim/protocol.ts';
import type { Container } from './container.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { finishExec } from './exec.ts';
import { disconnectNetwork } from './network.ts';
import { removeContainer } from './remove.ts';
import { isShimFailure } from './shim-client.ts';
import { waitForRestart } from './supervise.ts';
import { emitVolumeEvents } from './volumes.ts';

/** Deal with the end of a process that the shim tells of. Told twice, it counts once. */
export function handleExit(engine: Engine, exited: Exited): void {
  const { container: id, exec } = exited.key;
  if (exec !== undefined) {
    finishExec(engine, exec, exited);
    return;
  }
  const hidden = engine.hidden.get(id);
  if (hidden) {
    hidden(exited);
    return;
  }
  const container = engine.containers.get(id);
  if (!container) {
    void forget(engine, id);
  } else if (container.starting) {
    container.earlyExit = exited;
  } else {
    finishExit(engine, container, exited);
  }
}

/** Processes of a container were killed because it ran out of memory; each is told of once, whether or not it goes on. */
export function handleOutOfMemory(engine: Engine, { container: id, kills }: OutOfMemory): void {
  const container = engine.containers.get(id);
  if (!container) return;
  container.record.oomKilled = true;
  for (let kill = 0; kill < kills; kill++) emitContainerEvent(engine, container, 'oom');
  if (container.running)
    container.save().catch((error: Error) => engine.warn(`${container.record.name}: ${error.message}`));
}

/**
 * A running container has ended. A caller that waits hears of it at once; the shim keeps its exit until the record is on the
 * disk, so that a daemon that dies in between learns of it again.
 */
export function finishExit(
  engine: Engine,
  container: Container,
  { status, oomKilled, finishedAt }: Omit<Exited, 'key'>,
): void {
  if (!container.running) return;
  const { record } = container;
  container.apply('exit');
  // An earlier daemon may have ended before it could be told.
  if (oomKilled && !record.oomKilled) emitContainerEvent(engine, container, 'oom');
  Object.assign(record, { pid: 0, startTime: '', exitCode: status.exitCode, oomKilled, finishedAt });
  container.streamsOpen = false;
  disconnectNetwork(engine, record);
  emitContainerEvent(engine, container, 'die', {
    exitCode: String(status.exitCode),
    execDuration: String(Math.max(0, Math.round((Date.parse(finishedAt) - Date.parse(record.startedAt)) / 1000))),
  });
  emitVolumeEvents(engine, container, 'unmount');
  waitForRestart(engine, container);
  container.changes.emit('exit');
  void afterExit(engine, container).catch((error: Error) =>
    engine.warn(`${record.name}: after its end: ${error.message}`),
  );
}

async function afterExit(engine: Engine, container: Container): Promise<void> {
  const { record } = container;
  if (record.hostConfig.AutoRemove) {
    await container.lock.run(async () => {
      // A client may have removed it meanwhile.
      if (!container.running && engine.containers.get(record.id) === container)
        await removeContainer(engine, container, { volumes: true });
    });
    return;
  }
  await container.save();
  // Streams opened since then belong to the next start.
  if (container.streamsOpen || container.running) return;
  if ((await forget(engine, record.id)) && !container.streamsOpen && !container.running) container.shimKnows = false;
}

/** @returns whether the shim has. */
async function forget(engine: Engine, id: string): Promise<boolean> {
  if (!engine.shim.connected) return false;
  try {
    await engine.shim.request('forget', { key: { container: id } });
    return true;
  } catch (error) {
    if (!isShimFailure(error, 'conflict')) engine.warn(`the shim could not forget ${id}: ${(error as Error).message}`);
    return false;
  }
}
