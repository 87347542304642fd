/** How long the calls of a module may take together: grading has to come to an end, and slowness is the module's own. */

import { expect } from 'vitest';
import { slowness, stopwatch } from './own-time.ts';
import { SubjectTimeout } from './subject-error.ts';

/** Milliseconds of counted time. Honest work takes a tenth of either. */
const OF_A_TEST = 30_000;
const OF_A_LAB = 40_000;

const allowances = new Map<string, Allowance>();

export class Allowance {
  #test: string | undefined;
  #usedByTest = 0;
  #used = 0;

  static of(module: string): Allowance {
    const allowance = allowances.get(module) ?? new Allowance();
    allowances.set(module, allowance);
    return allowance;
  }

  /** Milliseconds that the next call may take. */
  get left(): number {
    const scale = slowness();
    return Math.max(0, Math.min(OF_A_LAB * scale - this.#used, OF_A_TEST * scale - this.#testUsed()));
  }

  get isSpent(): boolean {
    return this.#used >= OF_A_LAB * slowness();
  }

  /** @throws SubjectTimeout when there is nothing left. */
  check(): void {
    if (this.left > 0) return;
    const [seconds, what] = this.isSpent ? [OF_A_LAB, 'a lab'] : [OF_A_TEST, 'a test'];
    throw new SubjectTimeout(
      `This was not tried: all calls of ${what} together may take ${Math.round((seconds * slowness()) / 1000)} seconds, ` +
        'and those before took that long. Where does your module wait?',
    );
  }

  /** A call begins. @returns to be called at its end. */
  use(): () => void {
    this.#testUsed();
    const elapsed = stopwatch();
    return () => {
      const took = elapsed();
      this.#used += took;
      this.#usedByTest += took;
    };
  }

  #testUsed(): number {
    const { currentTestName } = expect.getState();
    if (currentTestName !== this.#test) this.#usedByTest = 0;
    this.#test = currentTestName;
    return this.#usedByTest;
  }
}
