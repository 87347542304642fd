/** A command that stays until its process has ended passes on what it hears, and the terminal if there is one. */

import { constants } from 'node:os';
import { ReadStream, WriteStream } from 'node:tty';
import { resizeTerminal } from '#exec';
import { KernelError } from '#kernel/errors';
import { kill } from '#kernel/signals';
import type { Started } from '../launch.ts';

const passedOn: NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'];

/** @returns the exit code of the process. */
export async function stayWith({ pid, master, ended }: Started): Promise<number> {
  const handlers = passedOn.map((signal) => {
    const handler = () => signalUnlessGone(pid, constants.signals[signal]);
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  const shown = master === null ? null : showTerminal(master);
  const { exitCode } = await ended;
  await shown?.end();
  for (const off of handlers) off();
  return exitCode;
}

function signalUnlessGone(pid: number, signal: number): void {
  try {
    kill(pid, signal);
  } catch (error) {
    if (!(error instanceof KernelError && error.code === 'ESRCH')) throw error;
  }
}

/** Show the terminal behind `master` on this process's own standard streams. */
function showTerminal(master: number): { end: () => Promise<void> } {
  const terminal = new ReadStream(master);
  const { stdin, stdout } = process;
  const drained = new Promise<void>((resolve) => {
    terminal.on('close', resolve);
    // EIO: the last program on it has ended.
    terminal.on('error', () => terminal.destroy());
  });
  const resize = () => {
    if (stdout instanceof WriteStream) resizeTerminal(master, { height: stdout.rows, width: stdout.columns });
  };
  resize();
  stdout.on('resize', resize);
  if (stdin instanceof ReadStream) stdin.setRawMode(true);
  stdin.pipe(terminal as unknown as NodeJS.WritableStream);
  terminal.on('data', (chunk: Buffer) => stdout.write(chunk));
  return {
    async end() {
      await drained;
      if (stdin instanceof ReadStream) stdin.setRawMode(false);
      stdin.destroy();
    },
  };
}
