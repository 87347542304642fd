/** A pseudo-terminal of the container's own devpts instance, whose other end the parent holds. pty(7), pts(4). */

import { leadSession, openTerminal } from '#exec';
import { close, dup2, O_PATH, open, write } from '#kernel/descriptors';
import { pidfdGetFd, pidfdOpen } from '#kernel/pidfd';
import { mountAll } from '#rootfs';
import { descriptorPath, withPathInRoot } from './path-in-root.ts';
import type { ConsoleSize } from './spec.ts';
import { step } from './step.ts';

/** How a child hands the master to its parent. */
export interface TerminalHandover {
  /** The descriptor the program gets as its standard streams; it is opened as a placeholder before the fork. */
  slot: number;
  /** Where the child writes the number of its master's descriptor. */
  announce: number;
  /** Returns once the parent has taken its copy. */
  awaitTaken(): void;
  size?: ConsoleSize;
}

/** In the child: make a terminal, lead a session on it, take its slave as standard streams, hand over its master. */
export function takeTerminal(root: string, { slot, announce, awaitTaken, size }: TerminalHandover): void {
  step('open terminal', () => {
    const { master, slave } = withPathInRoot(root, '/dev/pts', (devpts) => openTerminal(devpts, size));
    leadSession(slave);
    dup2(slave, slot);
    close(slave);
    write(announce, `${master}\n`);
    awaitTaken();
    close(master);
  });
}

/** In the child, before the pivot: /dev/console is the terminal too. */
export function bindConsole(root: string, { slot }: TerminalHandover): void {
  mountAll(root, [{ destination: '/dev/console', source: descriptorPath(slot), type: 'bind', options: ['bind'] }]);
}

/** In the parent: a copy of descriptor `fd` of child `pid`. pidfd_getfd(2). */
export function takeMaster(pid: number, fd: number): number {
  const pidfd = pidfdOpen(pid);
  try {
    return pidfdGetFd(pidfd, fd);
  } finally {
    close(pidfd);
  }
}

/** A descriptor that keeps the number free for the slave. */
export function openSlot(): number {
  return open('/dev/null', O_PATH);
}
