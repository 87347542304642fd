/** What the kernel says of a process, read from outside. proc(5). */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export function statusOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

export function namespaceOf(pid: number | 'self', name: string): string {
  return readlinkSync(`/proc/${pid}/ns/${name}`);
}

/** Mount point → [file system type, options of the mount]. */
export function mountsOf(pid: number): Map<string, { type: string; options: string[]; optional: string }> {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const fields = before.split(' ');
      return [
        fields[4]!,
        { type: after.split(' ')[0]!, options: fields[5]!.split(','), optional: fields.slice(6).join(' ') },
      ];
    }),
  );
}

/** Descriptor → what it is open at. */
export function descriptorsOf(pid: number | 'self'): Record<string, string> {
  return Object.fromEntries(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [[fd, readlinkSync(`/proc/${pid}/fd/${fd}`)]];
      } catch {
        return [];
      }
    }),
  );
}

/** Controllers → path. */
export function cgroupsOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n').filter(Boolean);
  return Object.fromEntries(lines.map((line) => [line.split(':')[1]!, line.split(':').slice(2).join(':')]));
}

export function limitsOf(pid: number): Record<string, { soft: string; hard: string }> {
  const lines = readFileSync(`/proc/${pid}/limits`, 'utf8').split('\n').slice(1).filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, 26).trim(),
      { soft: line.slice(26, 47).trim(), hard: line.slice(47, 68).trim() },
    ]),
  );
}

export function environmentOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
}

export function isAlive(pid: number): boolean {
  try {
    return statusOf(pid).State?.startsWith('Z') === false;
  } catch {
    return false;
  }
}

/** The pids of all processes on the host that `pid` is the parent of. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}
