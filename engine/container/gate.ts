import { setTimeout as delay } from 'node:timers/promises';

/**
 * Many go through at a time, unless it is closed, which waits for those that are on their way.
 *
 * A process that joins a container while that is frozen would stand still half made, and on cgroup v2 hold up the shim,
 * which waits for its first step.
 */
export class Gate {
  readonly #inside = new Set<Promise<unknown>>();
  #closed: Promise<void> | null = null;

  /** Run `task` when the gate is open. */
  async pass<T>(task: () => Promise<T>): Promise<T> {
    while (this.#closed) await this.#closed;
    const passing = task();
    const settled = passing.catch(() => {});
    this.#inside.add(settled);
    void settled.then(() => this.#inside.delete(settled));
    return await passing;
  }

  /**
   * Let nobody in any more. To be called by one at a time.
   * @param milliseconds how long those inside are waited for.
   * @returns a function that opens it again.
   */
  async close(milliseconds: number): Promise<() => void> {
    let open: () => void = () => {};
    this.#closed = new Promise((resolve) => {
      open = () => {
        this.#closed = null;
        resolve();
      };
    });
    const late = new AbortController();
    await Promise.race([
      Promise.all(this.#inside),
      delay(milliseconds, undefined, { signal: late.signal, ref: false }).catch(() => {}),
    ]);
    late.abort();
    return open;
  }
}
