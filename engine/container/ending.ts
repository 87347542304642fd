/** A container's process may have ended before its exit has been told, and with it its cgroup. */

import { once } from 'node:events';
import { isOver, processStat } from '#kernel/process-stat';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';

/** Seconds after which a process that is ending and does not end is one the kernel holds on to. */
const PATIENCE = 30;

/** From linux/sched.h: it has given up its namespaces, and waits for the other processes of its PID namespace. */
const PF_EXITING = 4;

/** Whether its first process has ended or is ending, told or not. */
export function hasEnded({ running, record: { pid, startTime } }: Container): boolean {
  if (!running) return true;
  const stat = processStat(pid);
  return stat === undefined || isOver(stat) || (stat.flags & PF_EXITING) !== 0 || stat.startTime !== startTime;
}

/** Resolves when its exit has been told. */
export async function untilExit(container: Container): Promise<void> {
  if (container.running) await once(container.changes, 'exit');
}

/** Wait for the exit of a container that is ending. @returns whether it came */
export async function untilEnded(engine: Engine, container: Container, ended = untilExit(container)): Promise<boolean> {
  for (let second = 0; second < PATIENCE; second++) {
    if (await within(ended, 1)) return true;
    await askForExit(engine, container);
  }
  return false;
}

/** Its exit is on its way; should that have been lost, the shim still knows of it. Told twice, it counts once. */
export async function askForExit(engine: Engine, container: Container): Promise<void> {
  const { exited } = await engine.shim.request('hello', {});
  for (const each of exited)
    if (each.key.container === container.id && each.key.exec === undefined) engine.shim.emit('exit', each);
}

/** Whether `event` comes within so many seconds; −1 waits for ever. */
export async function within(event: Promise<void>, seconds: number): Promise<boolean> {
  if (seconds < 0) return event.then(() => true);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    // A timer of Node holds 31 bits of milliseconds, which is 24 days.
    timer = setTimeout(resolve, Math.min(seconds * 1000, 2 ** 31 - 1), false);
  });
  try {
    return await Promise.race([event.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
