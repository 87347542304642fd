import { getSystemErrorMap } from 'node:util';

/** What a shell shows for a program that SIGPIPE ended. */
const BROKEN_PIPE = 141;

/**
 * End the process when its output cannot be written. A reader that went away (`skiff logs x | head`) ends the command
 * quietly, as it would end any other program; a full disk is said in one line.
 * @param command whose message it is, e.g. `skiff`.
 * @param brokenPipe the exit code after a reader that went away.
 */
export function endOnLostOutput(command: string, brokenPipe = BROKEN_PIPE): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(brokenPipe);
    const reason = getSystemErrorMap().get(error.errno ?? 0)?.[1] ?? error.message;
    process.stderr.write(`${command}: the output cannot be written: ${reason}\n`);
    process.exit(1);
  });
  // There is nowhere left to say it.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? brokenPipe : 1));
}
