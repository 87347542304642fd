export interface Queue {
  /** Ask for a run. @param since when the caller has waited. Resolves when nothing is waiting any more. */
  request: (since?: number) => Promise<void>;
  /** Resolves when nothing runs. */
  idle: () => Promise<void>;
}

/** Never two runs of `work` at once: what is asked for during a run becomes one more run after it. */
export function oneAfterAnother(work: (since: number) => Promise<void>): Queue {
  let waitingSince: number | undefined;
  let running: Promise<void> | undefined;
  const runAll = async () => {
    try {
      while (waitingSince !== undefined) {
        const since = waitingSince;
        waitingSince = undefined;
        await work(since);
      }
    } finally {
      running = undefined;
    }
  };
  return {
    request: (since = Date.now()) => {
      waitingSince ??= since;
      running ??= runAll();
      return running;
    },
    idle: async () => {
      await running?.catch(() => {});
    },
  };
}
