import { ContainerError } from './errors.ts';
import { ShimError } from './shim-client.ts';

export interface StartFailure {
  /** What a shell would answer: 127, 126, or 125 for all but the program itself. */
  exitCode: number;
  message: string;
  error: Error;
}

/**
 * Why a program did not start, in the words by which the docker command tells 127 (`executable file not found in
 * $PATH`, `no such file or directory`) from 126 (`permission denied`, `is a directory`) from 125 (anything else).
 */
export function startFailure(error: unknown, program: string): StartFailure {
  if (!(error instanceof ShimError)) {
    const plain = error instanceof Error ? error : new Error(String(error));
    return { exitCode: 125, message: plain.message, error: plain };
  }
  const { exitCode, code, message, step } = error.failure;
  const prefix = `failed to start the container's process: exec: ${JSON.stringify(program)}: `;
  if (exitCode === 127) {
    const why = program.includes('/')
      ? `stat ${program}: no such file or directory`
      : 'executable file not found in $PATH';
    return failure('invalid', exitCode, prefix + why, error);
  }
  if (exitCode === 126) {
    const why = code === 'EISDIR' ? 'is a directory' : code === 'EACCES' ? 'permission denied' : null;
    // An ELF file of another machine, or a script without its first line: 126 all the same.
    return failure('invalid', exitCode, prefix + (why ?? `${message} (permission denied to run it)`), error);
  }
  // The docker command would take these words for the program's own failure; the errno's name stands beside them.
  const plain = message.replace(/: (permission denied|no such file or directory|is a directory)/gi, '');
  const named = plain.includes(step) ? plain : `${step}: ${plain}`;
  return failure('failed', exitCode, `failed to start the container: ${named}`, error);
}

function failure(kind: 'invalid' | 'failed', exitCode: number, message: string, cause: Error): StartFailure {
  return { exitCode, message, error: new ContainerError(kind, message, { cause }) };
}
