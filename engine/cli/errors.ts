/** What ends a command: a sentence for stderr and the exit code. */
export class CliError extends Error {
  readonly exitCode: number;

  /**
   * @param message the sentence; empty when everything was said already.
   * @param exitCode 0…255. 125 says that skiff itself failed, not the container's program.
   */
  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** The command line is wrong: shown with the usage of the command. */
export class UsageError extends CliError {
  /** What comes below the sentence, filled in where the command is known. */
  usage = '';

  constructor(message: string, exitCode = 125) {
    super(message, exitCode);
    this.name = 'UsageError';
  }
}

/** The daemon refused: its own sentence and the status of its answer. Docker Engine API, "Errors". */
export class ApiError extends CliError {
  readonly status: number;
  /** The daemon's sentence alone. */
  readonly reason: string;

  constructor(status: number, reason: string) {
    super(`Error response from daemon: ${reason}`);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

/** No daemon answers on the socket, or it went away in the middle of an answer. */
export class ConnectionError extends CliError {
  readonly code: string;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, 1, options);
    this.name = 'ConnectionError';
    this.code = code;
  }
}

/** The `code` of a Node system error, e.g. `ECONNREFUSED`, or an empty string. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** The text of whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
