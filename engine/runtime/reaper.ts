/** Waits for every child of this process, also for those that it inherited. wait(2). */

import type { ExitStatus } from '#contract/process';
import { KernelError } from '#kernel/errors';
import { WNOHANG, waitpid } from '#kernel/wait';
import { exitStatus } from '#process';

export interface Reaper {
  /** When child `pid` has ended. To be called before the event loop turns after the fork. */
  ended(pid: number): Promise<ExitStatus>;
  /** Called after each round of reaping in which somebody had ended: what waited for a process to be gone can try again. */
  onReaped(listener: () => void): void;
  stop(): void;
}

/** From now on SIGCHLD is handled here and nothing else in this process may wait for children. */
export function startReaper(): Reaper {
  const waiting = new Map<number, (status: ExitStatus) => void>();
  const listeners: (() => void)[] = [];

  function reap(): void {
    let any = false;
    for (let ended = waitAny(); ended !== null; ended = waitAny()) {
      any = true;
      waiting.get(ended.pid)?.(exitStatus(ended.status));
      waiting.delete(ended.pid);
    }
    if (any) for (const listener of listeners) listener();
  }

  process.on('SIGCHLD', reap);
  return {
    ended: (pid) => new Promise((resolve) => waiting.set(pid, resolve)),
    onReaped: (listener) => listeners.push(listener),
    stop: () => process.removeListener('SIGCHLD', reap),
  };
}

function waitAny(): ReturnType<typeof waitpid> {
  for (;;) {
    try {
      return waitpid(-1, WNOHANG);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.code === 'ECHILD') return null;
      if (error.code !== 'EINTR') throw error;
    }
  }
}
