/** What the tests of this lab look with, and the words they look for. */

import { execFileSync } from 'node:child_process';
import { childOf, requireRunning } from '../../grader/harness/evidence.ts';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from '../../grader/harness/files.ts';
import { type Subject, unsupported } from '../../grader/harness/suite.ts';
import { sandboxIds } from '../../grader/harness/user-ids.ts';

/** Run a program of the host inside one namespace of process `pid`: the kernel's answer, not the subject's. */
export function seenFrom(pid: number, kind: 'uts' | 'net' | 'cgroup', ...command: string[]): string {
  try {
    return execFileSync('nsenter', [`--${kind}=/proc/${pid}/ns/${kind}`, ...command], { encoding: 'utf8' }).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return unsupported('nsenter is not in PATH; the package util-linux has it.');
  }
}

export const everyNew = ['pid', 'mount', 'uts', 'ipc', 'network'].map((type) => ({ type }));
export const procNames: Record<string, string> = {
  pid: 'pid',
  mount: 'mnt',
  uts: 'uts',
  ipc: 'ipc',
  network: 'net',
  user: 'user',
  cgroup: 'cgroup',
};

export const link = (inside: number, type: string) => `/proc/${inside}/ns/${procNames[type]}`;

/** CLONE_NEW… by type. linux/sched.h. */
export const flags: Record<string, bigint> = {
  mount: 0x20000n,
  uts: 0x4000000n,
  ipc: 0x8000000n,
  user: 0x10000000n,
  pid: 0x20000000n,
  network: 0x40000000n,
};
export const names = (mask: bigint) => Object.keys(flags).filter((type) => (mask & flags[type]!) !== 0n);

/** Expect a promise to be rejected; vitest's own matcher forgets the words. */
export async function expectError(promise: Promise<unknown>, what: string, text = ''): Promise<void> {
  const message = await promise.then(
    () => null,
    (error: Error) => error.message,
  );
  if (message === null) throw new Error(`${what} should be an error; it was passed over.`);
  if (!message.includes(text)) throw new Error(`${what} should be an error with "${text}" in it; it is: ${message}`);
}

/** An ordinary user without subordinate ids has sandboxes of one id, in which no second one can be mapped. */
export function needManyIds(): void {
  if (sandboxIds(0, 0).size < 4096)
    unsupported(
      'A sandbox has only one user id here, and this test needs more: ./workshop doctor says how to get them.',
    );
}

/** One id, the caller's own: all that one may map without CAP_SETUID and CAP_SETGID. */
export const itself = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];

/** What the engine does between fork and "go": a cgroup for the child, below the one it is in. */
export function makeCgroup(from: Subject, inside: number): { hierarchy: string; remove: () => void } {
  const pid = childOf(from, inside);
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const line = lines.find((text) => /:pids(,|:)/.test(text)) ?? lines.find((text) => text.startsWith('0::'));
  const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line ?? '') ?? [];
  const root = `/sys/fs/cgroup/${controllers}${path}`.replace(/\/+$/, '');
  const directory = `${root}/of-the-child`;
  try {
    mkdirSync(directory);
    writeFileSync(`${directory}/cgroup.procs`, String(pid));
  } catch (error) {
    if (existsSync(directory)) rmdirSync(directory);
    requireRunning(pid, error as Error);
    unsupported(`No cgroup can be made below ${root} here: ${(error as Error).message}`);
  }
  return { hierarchy: hierarchy!, remove: () => existsSync(directory) && rmdirSync(directory) };
}
