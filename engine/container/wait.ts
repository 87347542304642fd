import type { Container } from './container.ts';

export const WAIT_CONDITIONS = ['not-running', 'next-exit', 'removed'] as const;
export type WaitCondition = (typeof WAIT_CONDITIONS)[number];

export interface WaitResult {
  exitCode: number;
  /** Why it could not be started, if that is how it ended. */
  error: string;
}

/** Resolves when `condition` holds; null when `signal` aborted before. A container that never ran is not running. */
export function waitForContainer(
  container: Container,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<WaitResult | null> {
  const result = () => ({
    exitCode: container.record.exitCode,
    // That it is gone is what was asked for, and no failure.
    error: condition === 'removed' ? '' : container.record.error,
  });
  const { running, starting, restarting } = container;
  if (condition === 'not-running' && !running && !starting && !restarting) return Promise.resolve(result());
  return new Promise((resolve) => {
    const finish = (value: WaitResult | null) => {
      container.changes.off('exit', onExit).off('removed', onRemoved);
      signal.removeEventListener('abort', onAbort);
      resolve(value);
    };
    const onExit = () => {
      if (condition !== 'removed') finish(result());
    };
    const onRemoved = () => finish(result());
    const onAbort = () => finish(null);
    container.changes.on('exit', onExit).on('removed', onRemoved);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}
