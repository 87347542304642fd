import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { close, O_NONBLOCK, O_RDONLY, O_WRONLY, open, pollHangup, write } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { RuntimeError } from './error.ts';
import { runHooks } from './hooks.ts';
import { type ContainerRecord, directoryOf } from './record.ts';
import { stateOf } from './state.ts';
import { START_FIFO, statusOf } from './status.ts';

/** Let the program of a created container run. Returns when it does, or has ended. @throws RuntimeError */
export function startCreated(root: string, record: ContainerRecord): void {
  const fifo = join(directoryOf(root, record.id), START_FIFO);
  const status = statusOf(root, record);
  if (status === 'stopped') throw new RuntimeError('cannot start a container that has stopped');
  if (status !== 'created') throw new RuntimeError(`cannot start an already running container: it is ${status}`);
  letGo(fifo);
  // A process that is killed before this leaves a FIFO that nobody reads: that is a running container too.
  rmSync(fifo, { force: true });
  runHooks('poststart', record.config.hooks, stateOf(record, 'running'), record.bundle);
}

/** The child closes the FIFO with its exec, or with its end; no writer is left then, and that is told to a reader. */
function letGo(path: string): void {
  const end = open(path, O_RDONLY | O_NONBLOCK);
  try {
    const start = openUnlessGone(path);
    write(start, '.');
    close(start);
    pollHangup(end, -1);
  } finally {
    close(end);
  }
}

function openUnlessGone(path: string): number {
  try {
    return open(path, O_WRONLY | O_NONBLOCK);
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENXIO')
      throw new RuntimeError('cannot start a container that has stopped');
    throw error;
  }
}
