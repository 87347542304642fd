/** Containers with a restart policy: each end is met with another start, after a while that grows. */

import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { backOff, restartsAfter, startsWithDaemon } from './restart-policy.ts';

/**
 * Decide what follows the end of a container, which is `exited`: if its policy says so it is `restarting` from now on.
 * @returns whether it is
 */
export function waitForRestart(engine: Engine, container: Container): boolean {
  const { record } = container;
  if (container.endsForGood || !restartsAfter(record.hostConfig.RestartPolicy, record)) return false;
  container.backOff = backOff(container.backOff, Date.parse(record.finishedAt) - Date.parse(record.startedAt));
  record.restartCount += 1;
  container.apply('back-off');
  schedule(engine, container, container.backOff);
  return true;
}

/** The next start comes by itself no more, for the holder of the lock of a container that is `restarting`. */
export async function giveUpRestart(container: Container): Promise<void> {
  clearTimeout(container.nextStart);
  container.apply('give-up');
  await container.save();
  // Who waited for its next end, or for more of its log, waits no more.
  container.changes.emit('exit');
}

/** At the start of the daemon: go on with those that were waiting, and start those that are to run whenever it does. */
export function superviseAgain(engine: Engine): void {
  for (const container of engine.containers.all()) {
    const { status, hostConfig, stoppedByHand } = container.record;
    if (status === 'restarting' && container.nextStart === undefined) schedule(engine, container, 0);
    if (status === 'exited' && startsWithDaemon(hostConfig.RestartPolicy, stoppedByHand)) {
      container.apply('back-off');
      schedule(engine, container, 0);
    }
  }
}

/** At the end of the daemon: the next one goes on. */
export function superviseNoMore(engine: Engine): void {
  engine.closing = true;
  for (const container of engine.containers.all()) clearTimeout(container.nextStart);
}

function schedule(engine: Engine, container: Container, delay: number): void {
  clearTimeout(container.nextStart);
  if (engine.closing) return;
  container.nextStart = setTimeout(() => {
    engine
      .startAgain(container)
      .catch((error: Error) => engine.warn(`${container.record.name} could not be started again: ${error.message}`));
  }, delay);
}
