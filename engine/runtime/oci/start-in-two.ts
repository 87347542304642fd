/** A start in two parts: `create` makes everything and leaves a process that waits, `start` lets it go. runtime.md, "Lifecycle". */

import type { SeccompFilter } from '#contract/privileges';
import type { Program } from '#contract/process';
import { close, O_RDWR, open, pipe, read, write } from '#kernel/descriptors';
import { exitNow } from '#kernel/execve';
import { mknod, S_IFIFO } from '#kernel/nodes';
import type { Started } from '../launch.ts';
import { readLine } from '../pipes.ts';
import type { HeldStart } from '../start.ts';
import { executeOrTell, outliveParent, readyProgram } from './child.ts';
import type { Hooks } from './config-document.ts';
import { RuntimeError } from './error.ts';
import { runHooks } from './hooks.ts';
import type { State } from './state.ts';

export interface TwoParts {
  hooks: Hooks | undefined;
  bundle: string;
  /** Where hooks in the container's namespaces run: its root, as long as that is not theirs. */
  rootfs: string;
  /** How many descriptors from 3 on the program inherits. */
  preserveFds: number;
  /** Where the FIFO is to be made that the child will wait at. */
  fifoPath: string;
  /** What the hooks are to be told, but for the pid. */
  state: State;
  /** In the parent, when there is a child that has done nothing yet. */
  onForked: (pid: number, startTime: string) => void;
}

/**
 * Parent and child talk over three pipes: the child says that all is mounted, is told its pid when the hooks of the
 * host have run, and says that it is ready. Then it waits at the FIFO, which it holds open from its birth.
 * @returns when it waits there.
 */
export async function startInTwo(
  { hooks, bundle, rootfs, preserveFds, fifoPath, state, onForked }: TwoParts,
  start: (held: HeldStart) => Promise<Started>,
): Promise<Started> {
  mknod(fifoPath, S_IFIFO | 0o600);
  // To read and to write: then it sees no end when somebody has only looked, and nobody has to be there first.
  const fifo = open(fifoPath, O_RDWR);
  const [mounted, told, ready] = [pipe(), pipe(), pipe()];
  const childSide = new Set([mounted.write, told.read, ready.write]);
  const closeChildSide = () => {
    for (const fd of childSide) close(fd);
    childSide.clear();
  };
  let pid = 0;
  let isReady = false;
  const held = (async () => {
    if ((await readLine(mounted.read)) !== 'mounted') return never;
    // What these are told is how it was when there were no others. config.md, "Prestart".
    runHooks('prestart', hooks, { ...state, pid, status: 'created' }, bundle);
    runHooks('createRuntime', hooks, { ...state, pid }, bundle);
    write(told.write, `${pid}\n`);
    if ((await readLine(ready.read)) !== 'ready') return never;
    isReady = true;
  })();
  // When the start fails for another reason nobody waits for this any more.
  held.catch(() => {});
  const holds = {
    beforePivot() {
      write(mounted.write, 'mounted\n');
      // Here the child's own pid may be 1.
      pid = Number(readShort(told.read));
      runHooks('createContainer', hooks, { ...state, pid }, rootfs);
    },
    beforeProgram(program: Program, seccomp: SeccompFilter | null) {
      readyProgram(program, preserveFds);
      outliveParent();
      write(ready.write, 'ready\n');
      read(fifo, 1);
      orTell(program, () => runHooks('startContainer', hooks, { ...state, pid, status: 'created' }, '.', seccomp));
    },
    execute: executeOrTell,
  };
  try {
    const started = await start({
      held,
      holds,
      onForked(forked, startTime) {
        closeChildSide();
        pid = forked;
        onForked(pid, startTime);
      },
    });
    if (!isReady) throw new RuntimeError('The container ended while it was being made.');
    return started;
  } finally {
    closeChildSide();
    close(told.write);
    close(fifo);
  }
}

const never = new Promise<never>(() => {});

function readShort(fd: number): string {
  return (read(fd, 64) ?? '').toString().trim();
}

/** The process that made this one is gone; what is wrong is told where the program's own complaints would go. */
function orTell(program: Program, act: () => void): void {
  try {
    act();
  } catch (error) {
    write(program.stdio[2], `${(error as Error).message}\n`);
    exitNow(1);
  }
}
