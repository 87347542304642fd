/** What comes first: the promise or the end of the wait for it. @throws the reason of `signal`. */
export async function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  // Its failure after the end of the wait must not end the process.
  promise.catch(() => {});
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
