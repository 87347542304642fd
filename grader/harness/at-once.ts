/** For drivers: contracts say that a plank's functions are done when they return, and an engine that forks cannot wait. */

/** @returns `answer` itself. @throws Error, a sentence for the learner, if it is a promise. */
export function atOnce<T>(name: string, answer: T): T {
  if (typeof (answer as { then?: unknown } | null | undefined)?.then !== 'function') return answer;
  // What it would be rejected with later has nobody to tell.
  (answer as unknown as Promise<unknown>).then(undefined, () => {});
  throw new Error(
    `${name} returned a promise. Write it without async and await: its work must be done when it returns.`,
  );
}
