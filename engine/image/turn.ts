import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work after which others get their turn. */
const WORK = 5;

/** For long walks on the thread that also answers requests: `await turn.pass()` lets these go on now and then. */
export class Turn {
  #since = performance.now();

  /** Costs next to nothing as long as no time is up. */
  async pass(): Promise<void> {
    if (performance.now() - this.#since < WORK) return;
    await setImmediate();
    this.#since = performance.now();
  }
}
