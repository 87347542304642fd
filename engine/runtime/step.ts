/** Do a named step: what it throws carries the name as `step`, unless a smaller step inside has named itself already. */
export function step<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw named(name, error);
  }
}

function named(name: string, error: unknown): Error {
  const failure = error instanceof Error ? error : new Error(String(error));
  return 'step' in failure ? failure : Object.assign(failure, { step: name });
}
