/** What a call of a subject can end in, besides an answer. All of them are the learner's: the test fails with the sentence. */

import type { Ending } from './sandbox.ts';
import type { Thrown } from './wire.ts';

/** The learner's code threw. Name, code and syscall are its own words. */
export class SubjectError extends Error {
  readonly code: string | undefined;
  readonly syscall: string | undefined;

  constructor(call: string, thrown: Thrown) {
    super(thrown.message);
    // The names of the harness's own verdicts are not to be had from the other side.
    this.name = thrown.name.startsWith('Harness') ? 'Error' : thrown.name;
    this.code = thrown.code;
    this.syscall = thrown.syscall;
    this.stack = `${this.name}: ${thrown.message}\n    in ${call}()\n${framesOf(thrown.stack)}`;
  }
}

function framesOf(stack: string | undefined): string {
  return (stack ?? '')
    .split('\n')
    .filter((line) => line.includes('labs/'))
    .slice(0, 3)
    .join('\n');
}

/** The process that the learner's code ran in is gone, or talked nonsense and was ended. */
export class SubjectDied extends Error {
  override readonly name = 'SubjectDied';
}

/** No answer in time. */
export class SubjectTimeout extends Error {
  override readonly name = 'SubjectTimeout';
}

/** The module could not be loaded: it does not compile, imports what is not allowed, or throws while it is loaded. */
export class SubjectBroken extends Error {
  override readonly name = 'SubjectBroken';
}

export function describeEnding({ exitCode, signal, oomKilled }: Ending): string {
  if (oomKilled) return 'it used more memory than the sandbox has, and the kernel ended it';
  if (signal !== null) return `it was ended by ${signal}`;
  return `it ended with exit code ${exitCode}`;
}
