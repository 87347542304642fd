import { CommanderError } from 'commander';
import { CliError, errorText, UsageError } from './errors.ts';
import { endOnLostOutput } from './lost-output.ts';
import { complain, exitAfterFlush } from './output.ts';
import { runProgram } from './program.ts';

/** Where an error came from, and what it came of. */
function origin(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? `${error.stack}` : `${error.stack}\ncaused by ${origin(error.cause)}`;
}

/** What a command that failed says, and its exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (process.env.SKIFF_DEBUG) complain(origin(error));
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
  return 125;
}

async function main(): Promise<void> {
  endOnLostOutput('skiff');
  let code: number;
  try {
    code = await runProgram(process.argv.slice(2));
  } catch (error) {
    code = report(error);
  }
  await exitAfterFlush(code);
}

void main();
