import type { Container } from './container.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { startLocked } from './start.ts';
import { type StopOptions, stopLocked } from './stop.ts';
import { giveUpRestart } from './supervise.ts';

/** Stop a container if it runs, and start it. @throws as `startContainer` and `stopContainer` do */
export async function restartContainer(engine: Engine, container: Container, options: StopOptions): Promise<void> {
  await container.lock.run(async () => {
    if (container.restarting) await giveUpRestart(container);
    if (container.running) await stopLocked(engine, container, options);
    await startLocked(engine, container);
    emitContainerEvent(engine, container, 'restart');
  });
}
