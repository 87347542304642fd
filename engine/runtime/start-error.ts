import type { StepFailure } from '#contract/process';

/** A container or a process in it could not be started. Nothing of it is left. */
export class StartError extends Error implements StepFailure {
  override readonly name = 'StartError';
  readonly step: string;
  readonly code: string;
  readonly exitCode: 125 | 126 | 127;

  constructor({ step, code, message, exitCode }: StepFailure) {
    super(message);
    this.step = step;
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** What went wrong in the parent, in the same form as what the child reports. */
export function startErrorOf(error: unknown): StartError {
  if (error instanceof StartError) return error;
  const failure: Partial<StepFailure> & Error = error instanceof Error ? error : new Error(String(error));
  const { step = 'start', code = 'EUNKNOWN', message } = failure;
  return new StartError({ step, code, message, exitCode: 125 });
}

/** Read what a child reported; null when it had nothing to report, because it became its program. */
export function parseReport(text: string): StartError | null {
  if (text === '') return null;
  try {
    return new StartError(JSON.parse(text) as StepFailure);
  } catch {
    return new StartError({ step: 'start', code: 'EUNKNOWN', message: `The child said: ${text}`, exitCode: 125 });
  }
}
