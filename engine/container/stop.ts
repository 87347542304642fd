import type { Container } from './container.ts';
import { askForExit, untilEnded, untilExit, within } from './ending.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';
import { unpauseLocked } from './pause.ts';
import { isSet } from './restart-policy.ts';
import { isShimFailure, ShimGone } from './shim-client.ts';
import { parseSignal } from './signals.ts';
import { giveUpRestart } from './supervise.ts';

const SIGKILL = 9;
const SIGTERM = 15;
/** Seconds that a program has to end by itself, unless it or the caller says otherwise. */
const STOP_TIMEOUT = 10;

export interface StopOptions {
  /** 1…64; the container's own stop signal if absent. */
  signal?: number;
  /** Seconds until SIGKILL; −1 for never. The container's own if absent. */
  timeout?: number;
}

/** @throws ContainerError `not-modified` when it does not run */
export async function stopContainer(engine: Engine, container: Container, options: StopOptions): Promise<void> {
  if (!container.running && !container.restarting)
    throw new ContainerError('not-modified', `container ${container.record.name} is not running`);
  await hurry(engine, container, options.timeout);
  await container.lock.run(async () => {
    if (container.restarting) await stopRestarting(engine, container);
    if (container.running) await stopLocked(engine, container, options);
  });
}

/**
 * Kill a container that another client's stop is waiting for, if it has not ended when `timeout` seconds are over: the
 * more patient one does not decide for both.
 */
export async function hurry(engine: Engine, container: Container, timeout: number | undefined): Promise<void> {
  if (!container.stopping || timeout === undefined || timeout < 0) return;
  if (!(await within(untilExit(container), timeout)) && container.running)
    await killContainer(engine, container, SIGKILL);
}

/** Signal, wait, and kill: for the holder of the lock of a running container. */
export async function stopLocked(engine: Engine, container: Container, options: StopOptions): Promise<void> {
  const { config } = container.record;
  const signal = options.signal ?? (config.StopSignal === '' ? SIGTERM : parseSignal(config.StopSignal));
  const timeout = options.timeout ?? config.StopTimeout ?? STOP_TIMEOUT;
  const ended = untilExit(container);
  container.endsForGood = true;
  container.stopping = true;
  try {
    await sendSignal(engine, container, signal);
    if (signal === SIGKILL || !(await within(ended, timeout))) {
      if (signal !== SIGKILL) await sendSignal(engine, container, SIGKILL);
      if (!(await untilEnded(engine, container, ended)))
        throw new ContainerError(
          'failed',
          `container ${container.record.name} was killed and has not ended: the kernel holds its process ${container.record.pid} in an operation that cannot be interrupted.`,
        );
    }
  } finally {
    container.stopping = false;
  }
  emitContainerEvent(engine, container, 'stop');
}

/** @throws ContainerError `conflict` when it does not run */
export async function killContainer(engine: Engine, container: Container, signal: number): Promise<void> {
  if (container.restarting) {
    // A signal that would not end the program does not end the attempts either.
    if (!isToEnd(container, signal)) return;
    // Its start may have been under way; then there is a process to be killed.
    await container.lock.run(() => stopRestarting(engine, container));
    if (!container.running) return;
  }
  if (!container.running)
    throw new ContainerError(
      'conflict',
      `cannot kill container: ${container.record.name}: container ${container.id} is not running`,
    );
  const ended = signal === SIGKILL ? untilExit(container) : undefined;
  if (isToEnd(container, signal)) container.endsForGood = true;
  await sendSignal(engine, container, signal);
  if (ended !== undefined) await untilEnded(engine, container, ended);
}

/** On the disk before the signal, so that a daemon that ends in between does not start it again. */
async function keepThatItWasStopped(container: Container): Promise<void> {
  const { record } = container;
  if (record.stoppedByHand) return;
  record.stoppedByHand = true;
  if (isSet(record.hostConfig.RestartPolicy)) await container.save();
}

/** For one that waits to be started again, stopping is to wait no more. */
async function stopRestarting(engine: Engine, container: Container): Promise<void> {
  if (!container.restarting) return;
  container.record.stoppedByHand = true;
  await giveUpRestart(container);
  emitContainerEvent(engine, container, 'stop');
}

async function sendSignal(engine: Engine, container: Container, signal: number): Promise<void> {
  await keepThatItWasStopped(container);
  try {
    await engine.shim.request('signal', { key: { container: container.id }, signal });
  } catch (error) {
    // With the shim the container has ended, too, which is on its way to the record.
    if (!(error instanceof ShimGone)) {
      if (!isShimFailure(error, 'not-found') && !isShimFailure(error, 'conflict')) throw error;
      await askForExit(engine, container);
    }
  }
  emitContainerEvent(engine, container, 'kill', { signal: String(signal) });
  if (container.paused && isToEnd(container, signal)) await unpauseLocked(engine, container);
}

/** Whether Docker takes the signal for one that ends the container, and so lets a paused one go on to get it. */
function isToEnd({ record: { config } }: Container, signal: number): boolean {
  return signal === SIGKILL || config.StopSignal === '' || signal === parseSignal(config.StopSignal);
}
