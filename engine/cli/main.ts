import { CommanderError } from 'commander';
import { CliError, errorText, UsageError } from './errors.ts';
import { complain, endQuietlyOnBrokenPipe, exitAfterFlush } from './output.ts';
import { runProgram } from './program.ts';

/** What a command that failed says, and its exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof UsageError) {
    complain(
      error.usage === ''
        ? error.message
        : `${error.message}

${error.usage}`,
    );
    return error.exitCode;
  }
  if (error instanceof CliError) {
    if (error.message !== '') complain(error.message);
    return error.exitCode;
  }
  complain(`skiff: this should not have happened, please report it: ${errorText(error)}`);
  if (error instanceof Error && process.env.SKIFF_DEBUG) complain(error.stack ?? '');
  return 125;
}

async function main(): Promise<void> {
  endQuietlyOnBrokenPipe();
  let code: number;
  try {
    code = await runProgram(process.argv.slice(2));
  } catch (error) {
    code = report(error);
  }
  await exitAfterFlush(code);
}

void main();
