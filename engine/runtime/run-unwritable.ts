import { readFileSync } from 'node:fs';
import { close, setCloseOnExec } from '#kernel/descriptors';
import { execve } from '#kernel/execve';
import { isOnReadOnlyMount, openUnwritable } from '#kernel/unwritable';
import { step } from './step.ts';

/**
 * What makes containers runs from a file that it could not write to, so that nobody can through its /proc/PID/exe. If
 * this process does not, it starts again as one that does, with the same arguments. To be called before anything is made.
 * @param inherited how many descriptors from 3 on are the caller's, and stay open.
 * @param others more of them.
 */
export function runUnwritable(inherited = 0, others: number[] = []): void {
  if (isOnReadOnlyMount('/proc/self/exe')) return;
  step('protect /proc/self/exe', () => {
    const program = openUnwritable('/proc/self/exe');
    const path = `/proc/self/fd/${program}`;
    try {
      // Otherwise it would start again for ever.
      if (!isOnReadOnlyMount(path)) throw new Error('The kernel has made a read-only mount that is not read-only.');
      // Node marks at its start what it inherits.
      for (let fd = 0; fd < 3 + inherited; fd++) setCloseOnExec(fd, false);
      for (const fd of others) setCloseOnExec(fd, false);
      execve(path, readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1), environment());
    } finally {
      close(program);
    }
  });
}

function environment(): string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
}
