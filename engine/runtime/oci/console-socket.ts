import { close } from '#kernel/descriptors';
import { connectUnix, sendDescriptor } from '#kernel/sockets';
import { RuntimeError } from './error.ts';

/** Give a terminal's master to the program that listens at `path`, which will show it to somebody. Closes `master`. */
export function sendConsole(path: string, master: number): void {
  try {
    const socket = connectUnix(path);
    try {
      sendDescriptor(socket, master, '/dev/ptmx');
    } finally {
      close(socket);
    }
  } catch (error) {
    throw new RuntimeError(
      `The terminal cannot be handed over at the console socket ${path}: ${(error as Error).message}`,
    );
  } finally {
    close(master);
  }
}

/** A caller that does not stay cannot show the terminal itself; and a terminal is needed to hand one over. @throws RuntimeError */
export function checkConsole(wants: { terminal: boolean; stays: boolean; consoleSocket?: string }): void {
  if (wants.terminal && !wants.stays && wants.consoleSocket === undefined)
    throw new RuntimeError('cannot allocate tty if the runtime will detach without setting console socket');
  if (wants.consoleSocket !== undefined && (!wants.terminal || wants.stays))
    throw new RuntimeError('cannot use console socket if the runtime will not detach or allocate tty');
}
