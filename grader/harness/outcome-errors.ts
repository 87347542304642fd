/** How a suite says that a test was not judged. The names cannot come from a subject: see SubjectError. */

/** This machine lacks what the test needs: the report says `unsupported` and why, and no points are lost. */
export function unsupported(reason: string): never {
  const error = new Error(reason);
  error.name = 'HarnessUnsupported';
  throw error;
}

/** The harness failed, not the learner: the lab is graded again, then reported as `error`. */
export function infrastructure(reason: string): never {
  const error = new Error(reason);
  error.name = 'HarnessFailure';
  throw error;
}
