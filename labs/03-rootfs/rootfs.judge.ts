/** What the suite has in its hands: containers that stop before and behind the function that is judged. */

import { join } from 'node:path';
import { expect } from 'vitest';
import {
  childOf,
  cmdline,
  environ,
  type MountInfo,
  mountinfo,
  nonce,
  openDescriptors,
  status,
} from '../../grader/harness/evidence.ts';
import { chmodSync, mkdirSync, writeFileSync } from '../../grader/harness/files.ts';
import { type Inside, inside } from '../../grader/harness/inside.ts';
import { draw } from '../../grader/harness/random.ts';
import type { Subject } from '../../grader/harness/suite.ts';
import type { RootfsRequest } from './rootfs.driver.ts';

export const usual: RootfsRequest['mounts'] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666'],
  },
];
export const devices: RootfsRequest['devices'] = [
  { type: 'c', path: '/dev/null', major: 1, minor: 3 },
  { type: 'c', path: '/dev/zero', major: 1, minor: 5, fileMode: 0o666 },
];

export type Request = Partial<RootfsRequest>;

export interface Child {
  /** Its pid here. */
  pid: number;
  mark: string;
}

/** Start a child; it stands before the function of `task`. */
export async function start(subject: Subject, task: number, request: Request = {}): Promise<Child> {
  const mark = nonce();
  const whole: RootfsRequest = {
    args: [`${(request.last ?? 5) < 4 ? subject.rootfs : ''}/bin/sleep`, String(draw.int(1000, 9999))],
    env: [`SKIFF_NONCE=${mark}`],
    rootfs: subject.rootfs,
    task,
    mounts: usual,
    devices,
    masked: [],
    readonly: [],
    before: [],
    last: 5,
    walkOutFirst: false,
    powerless: false,
    ...request,
  };
  return { pid: childOf(subject, (await subject.call('start', whole)) as number), mark };
}

/** Start a container and let it become its program. @returns its pid, and the judge's own hands in the tree it sees. */
export async function container(
  subject: Subject,
  task: number,
  request: Request = {},
): Promise<{ pid: number; tree: Inside }> {
  const child = await start(subject, task, request);
  await subject.call('goOn');
  await subject.call('finish');
  return { pid: program(child), tree: inside(child.pid) };
}

/** The pid of a child that has become its program. */
export function program({ pid, mark }: Child): number {
  expect(cmdline(pid)[0]?.split('/').at(-1), `the program that process ${pid} runs, in its cmdline`).toBe('sleep');
  expect(environ(pid), `the environment of process ${pid}`).toContain(`SKIFF_NONCE=${mark}`);
  return pid;
}

/** What a function has to leave as it was. */
export function surroundings({ pid }: Child): { descriptors: string; umask: string } {
  return { descriptors: Object.keys(openDescriptors(pid)).join(' '), umask: status(pid).Umask ?? '' };
}

/** Where each mount of a process is mounted, as that process sees it. */
export const mountPoints = (pid: number) => mountinfo(pid).map(({ mountPoint }) => mountPoint);

/** The topmost mount at a place. */
export function mountAt(pid: number, place: string): MountInfo {
  const found = mountinfo(pid).findLast(({ mountPoint }) => mountPoint === place);
  if (found === undefined)
    throw new Error(`Nothing is mounted on ${place}: /proc/${pid}/mountinfo has ${mountPoints(pid).join(', ')}.`);
  return found;
}

/** A directory that the sandbox may write in: a mount of it is read-only only if somebody made it so. */
export function freshDirectory(subject: Subject): { inside: string; outside: string } {
  const name = nonce();
  const outside = join(subject.outsidePath(subject.scratch), name);
  mkdirSync(outside);
  chmodSync(outside, 0o777);
  return { inside: `${subject.scratch}/${name}`, outside };
}

/** The judge's own path of a place in the rootfs. */
export const inRootfs = (subject: Subject, path: string) => join(subject.outsidePath(subject.rootfs), path);

/** Make a directory in the rootfs that root of the container may write in. */
export function directoryInRootfs(subject: Subject, path: string): void {
  mkdirSync(inRootfs(subject, path), { recursive: true });
  chmodSync(inRootfs(subject, path), 0o777);
}

export function fileInRootfs(subject: Subject, path: string, text: string): void {
  mkdirSync(join(inRootfs(subject, path), '..'), { recursive: true });
  writeFileSync(inRootfs(subject, path), text);
}

/** Expect a promise to be rejected; vitest's own matcher forgets the words. */
export async function expectError(promise: Promise<unknown>, what: string, pattern = /./): Promise<void> {
  const message = await promise.then(
    () => null,
    (error: Error) => error.message,
  );
  if (message === null) throw new Error(`${what} should be an error; it was passed over.`);
  if (!pattern.test(message)) throw new Error(`${what} should be an error that matches ${pattern}; it is: ${message}`);
}
