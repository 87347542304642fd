/** One at a time, in the order they came. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Run `task` when all that came before it are through. Its failure is its caller's alone. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }
}
