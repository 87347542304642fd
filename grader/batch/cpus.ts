/** The CPUs of this process, and programs that are held to one of them. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { BadInput } from '../bad-input.ts';

/** Numbers of the CPUs that this process may use. proc_pid_status(5), `Cpus_allowed_list`. */
export function allowedCpus(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** @throws BadInput when programs cannot be held to a CPU here. */
export function checkTaskset(cpu: number): void {
  const { error, status } = spawnSync('taskset', ['-c', String(cpu), process.execPath, '--version'], {
    stdio: 'ignore',
  });
  if (error !== undefined || status !== 0)
    throw new BadInput(
      `A batch holds each submission to one CPU with taskset, which ${error === undefined ? 'fails here' : 'is not installed'}. ` +
        'It is part of the package util-linux.',
    );
}
