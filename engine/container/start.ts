import type { Stdio } from '../runtime/shim/protocol.ts';
import type { Container } from './container.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';
import { writeEtcFiles } from './etc-files.ts';
import { finishExit } from './exit.ts';
import { layersOf } from './files/container-tree.ts';
import { logBound } from './log-options.ts';
import { makeSources } from './mounts.ts';
import { connectNetwork, disconnectNetwork } from './network.ts';
import { removeContainer } from './remove.ts';
import { buildSpec } from './spec.ts';
import { startFailure } from './start-failure.ts';
import { now } from './time.ts';
import { remapOf, rootOf } from './user-remap.ts';
import { emitVolumeEvents } from './volumes.ts';

/**
 * Start a container that is not running. One that cannot be started stays as it was, with the reason in its record; if
 * it was to be removed at its end, it is removed.
 * @throws ContainerError `not-modified` when it runs already, else what was wrong
 */
export async function startContainer(engine: Engine, container: Container): Promise<void> {
  await container.lock.run(() => {
    if (container.restarting) throw runsAlready(container);
    return startLocked(engine, container);
  });
}

/** The start that its restart policy has promised, unless that has been given up. @throws as `startContainer` does */
export async function startAgain(engine: Engine, container: Container): Promise<void> {
  await container.lock.run(async () => {
    if (container.restarting && !engine.closing) await launch(engine, container);
  });
}

function runsAlready({ record }: Container): ContainerError {
  return new ContainerError('not-modified', `container ${record.name} is running already`);
}

/** As `startContainer`, for the holder of the lock. What its restart policy has counted begins anew. */
export async function startLocked(engine: Engine, container: Container): Promise<void> {
  container.backOff = 0;
  await launch(engine, container, { restartCount: 0 });
}

async function launch(engine: Engine, container: Container, begin: { restartCount?: number } = {}): Promise<void> {
  const { record } = container;
  if (container.paused) throw new ContainerError('conflict', 'cannot start a paused container, try unpause instead');
  if (container.running) throw runsAlready(container);
  if (record.status === 'removing' || record.status === 'dead')
    throw new ContainerError('conflict', `container is marked for removal and cannot be started`);
  container.starting = true;
  container.endsForGood = false;
  Object.assign(record, { oomKilled: false, stoppedByHand: false, ...begin });
  try {
    const started = await runInShim(engine, container);
    container.apply('start');
    Object.assign(record, { ...started, exitCode: 0, error: '' });
    emitVolumeEvents(engine, container, 'mount');
    emitContainerEvent(engine, container, 'start');
  } catch (error) {
    const failure = startFailure(error, record.args[0] ?? '');
    container.apply('start-failed');
    Object.assign(record, { exitCode: failure.exitCode, error: failure.message });
    container.streamsOpen = false;
    disconnectNetwork(engine, record);
    container.starting = false;
    emitContainerEvent(engine, container, 'die', { exitCode: String(failure.exitCode) });
    container.changes.emit('exit');
    if (record.hostConfig.AutoRemove) await removeContainer(engine, container, { volumes: true }).catch(() => {});
    else await container.save().catch(() => {});
    throw failure.error;
  } finally {
    container.starting = false;
    const early = container.earlyExit;
    container.earlyExit = null;
    if (early) finishExit(engine, container, early);
  }
}

/** Make the streams of a container that is to be started, so that clients can attach to it before. */
export async function openStreams(engine: Engine, container: Container): Promise<void> {
  if (container.streamsOpen) return;
  container.streamsOpen = true;
  const key = { container: container.id };
  try {
    // What an earlier run, or an earlier daemon, has left under this name.
    const forgotten = container.shimKnows ? engine.shim.request('forget', { key }) : null;
    container.shimKnows = true;
    await Promise.all([forgotten, engine.shim.request('open', { key, stdio: containerStdio(container) })]);
  } catch (error) {
    container.streamsOpen = false;
    throw error;
  }
}

async function runInShim(engine: Engine, container: Container) {
  const { record, paths } = container;
  const opened = openStreams(engine, container);
  opened.catch(() => {});
  const lower = await layersOf(engine, container);
  makeSources(record.mounts, rootOf(remapOf(engine.remap, record.hostConfig)));
  const network = await connectNetwork(engine, record);
  try {
    writeEtcFiles(engine, record, paths);
    const spec = buildSpec(record, { root: engine.root, paths, lower, remap: engine.remap, network: network?.path });
    await Promise.all([opened, container.saveAsRunning(now())]);
    return await engine.shim.request('start', { container: record.id, spec });
  } finally {
    network?.letGo();
  }
}

function containerStdio({ record, paths }: Container): Stdio {
  const { config, hostConfig } = record;
  return {
    terminal: config.Tty,
    stdin: config.OpenStdin,
    stdinOnce: config.StdinOnce,
    ...(hostConfig.LogConfig.Type !== 'none' && { logPath: paths.log, logBound: logBound(hostConfig.LogConfig) }),
  };
}
