/** What /proc says of a process in one line. proc_pid_stat(5). */

import fs from 'node:fs';
import { KernelError } from './errors.ts';

const ESRCH = 3;

export interface ProcessStat {
  /** Its name, at most 15 bytes; it may hold spaces and parentheses. Field 2. */
  name: string;
  /** A letter: R, S, D, Z, T, t, X, I. Field 3. */
  state: string;
  parent: number;
  /** Its process group, and session. Fields 5 and 6. */
  group: number;
  session: number;
  /** Of its controlling terminal, as makedev(3) packs it; 0 without one. Field 7. */
  terminal: number;
  /** The process group in the foreground of that terminal; −1 without one. Field 8. */
  foreground: number;
  /** PF_… of linux/sched.h. Field 9. */
  flags: number;
  /** In clock ticks. Fields 14 and 15. */
  userTime: number;
  systemTime: number;
  /** Clock ticks from the start of the machine, as text: with the pid it names a process for good. Field 22. */
  startTime: string;
  /** As wait(2) gives it, of a process that has ended. Field 52. */
  exitCode: number;
}

/** @returns undefined for a process that has gone. */
export function processStat(pid: number | 'self'): ProcessStat | undefined {
  let line: string;
  try {
    line = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  return parseProcessStat(line);
}

export function parseProcessStat(line: string): ProcessStat {
  const end = line.lastIndexOf(')');
  const fields = line.slice(end + 2).split(' ');
  const field = (number: number) => fields[number - 3] ?? '';
  return {
    name: line.slice(line.indexOf('(') + 1, end),
    state: field(3),
    parent: Number(field(4)),
    group: Number(field(5)),
    session: Number(field(6)),
    terminal: Number(field(7)),
    foreground: Number(field(8)),
    flags: Number(field(9)),
    userTime: Number(field(14)),
    systemTime: Number(field(15)),
    startTime: field(22),
    exitCode: Number(field(52)),
  };
}

/** Whether it has ended, waited for or not. */
export function isOver(stat: ProcessStat | undefined): boolean {
  return stat === undefined || 'ZXx'.includes(stat.state);
}

/** @throws KernelError ESRCH for a process that has gone. */
export function startTimeOf(pid: number): string {
  const stat = processStat(pid);
  if (stat === undefined) throw new KernelError('stat', ESRCH, `process ${pid}`);
  return stat.startTime;
}
