/** The command cannot be done; the text says why and what to do, and is all that is printed. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly exitCode: number;

  /** @param exitCode 1…255. */
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
