/** How long the calls of a module may take together: grading has to come to an end, and slowness is the module's own. */

import { expect } from 'vitest';
import { slowness, stopwatch } from './own-time.ts';
import { SubjectTimeout } from './subject-error.ts';

/** Milliseconds of counted time. Honest work takes a tenth of them, and some think for a second between two steps. */
const OF_A_TEST = 30_000;
const OF_A_LAB = 150_000;
/** Of a lab, for calls that did not return in time, or failed after long: they do so in every test. */
const IN_VAIN = 40_000;
/** Milliseconds after which a call that fails has taken long. */
const LONG = 2_000;

const allowances = new Map<string, Allowance>();

export class Allowance {
  #test: string | undefined;
  #usedByTest = 0;
  #used = 0;
  #usedInVain = 0;

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
    return this.#used >= OF_A_LAB * slowness() || this.#usedInVain >= IN_VAIN * slowness();
  }

  /** @throws SubjectTimeout when there is nothing left. */
  check(): void {
    if (this.left > 0 && !this.isSpent) return;
    const seconds = (limit: number) => Math.round((limit * slowness()) / 1000);
    throw new SubjectTimeout(
      `This was not tried: ${
        this.#usedInVain >= IN_VAIN * slowness()
          ? `calls that failed or did not return took ${seconds(IN_VAIN)} seconds before`
          : this.isSpent
            ? `all calls of a lab together may take ${seconds(OF_A_LAB)} seconds, and those before took that long`
            : `all calls of a test together may take ${seconds(OF_A_TEST)} seconds, and those before took that long`
      }. Where does your module wait?`,
    );
  }

  /** A call begins. @returns to be called at its end, with whether it failed or did not return in time. */
  use(): (failed: boolean) => void {
    this.#testUsed();
    const elapsed = stopwatch();
    return (failed) => {
      const took = elapsed();
      this.#used += took;
      this.#usedByTest += took;
      if (failed && took > LONG) this.#usedInVain += took;
    };
  }

  #testUsed(): number {
    const { currentTestName } = expect.getState();
    if (currentTestName !== this.#test) this.#usedByTest = 0;
    this.#test = currentTestName;
    return this.#usedByTest;
  }
}
