/** What can be wrong with a build: every message says where, what, and the way out. */
export class BuildError extends Error {
  readonly code = 'BUILD_FAILED';
  override readonly name: string = 'BuildError';
  /** Of the command that failed, when one did. */
  readonly exitCode: number | undefined;

  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitCode = options.exitCode;
  }
}

/** A build that is wrong before anything of it was done: for the client, its own mistake. */
export class InvalidBuild extends BuildError {
  override readonly name = 'InvalidBuild';
}

/** `error` with the place in the Dockerfile in front, unless it has one already. */
export function atLine(file: string, line: number, statement: string, error: unknown): BuildError {
  const cause = error instanceof Error ? error : new Error(String(error));
  if (cause instanceof Located) return cause;
  const exitCode = cause instanceof BuildError ? cause.exitCode : undefined;
  const shown = statement.length > SHOWN_MAX ? `${statement.slice(0, SHOWN_MAX)}…` : statement;
  return new Located(`${file}:${line}: ${shown.split('\n', 1)[0]}: ${cause.message}`, {
    cause,
    ...(exitCode !== undefined && { exitCode }),
  });
}

/** Characters of an instruction that a message quotes. */
const SHOWN_MAX = 120;

class Located extends BuildError {}
