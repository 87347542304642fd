/**
 * How the engine uses the plank `rootfs`: the story of a start, with the engine's own fork and namespaces. The check runs
 * this with those of your functions that it judges, and the engine's own in place of the others; then it looks at the
 * process's mounts from outside.
 */

import { existsSync, mkdirSync } from 'node:fs';
import { setCapabilities } from '#kernel/credentials';
import { close, O_RDWR, open, pipe, read, readAll, write } from '#kernel/descriptors';
import { chdir } from '#kernel/execve';
import { chroot, MS_REC, MS_SHARED, mount } from '#kernel/mounts';
import { cloneFlags, configureNamespaces, enterNamespaces } from '#namespaces';
import { spawn } from '#process';
import * as mine from '#rootfs';
import type { Device, Mount, Namespace } from '#spec';
import * as reference from '../../engine/runtime/rootfs.ts';
import { atOnce } from '../../grader/harness/at-once.ts';

export interface RootfsRequest {
  args: string[];
  env: string[];
  rootfs: string;
  /** The task whose function is yours. */
  task: number;
  mounts: Mount[];
  devices: Device[];
  masked: string[];
  readonly: string[];
  /** Directories that get a tmpfs of their own, before your first function is called. */
  before: string[];
  /** After which task to stop; 5 for none. */
  last: number;
  /** After the pivot, walk out of a chroot the classic way before the program runs. */
  walkOutFirst: boolean;
  /** Before your function, give up the right to mount. */
  powerless: boolean;
}

const namespaces: Namespace[] = [
  { type: 'pid' },
  { type: 'mount' },
  { type: 'ipc' },
  { type: 'network' },
  { type: 'uts' },
];

interface Child {
  pid: number;
  report: number;
  stopped: number;
  go: number;
}

let current: Child | undefined;

/**
 * Start a child, which stops before and after your function. As on every machine with systemd, all mounts are shared: what
 * is mounted in one namespace shows up in its copies.
 * @returns its pid, as the subject sees it; it stands before your function.
 */
export function start(request: RootfsRequest): number {
  const { args, env } = request;
  mount({ target: '/', flags: MS_REC | MS_SHARED });
  const [stopped, go] = [pipe(), pipe()];
  const devNull = open('/dev/null', O_RDWR);
  const stop = () => {
    write(stopped.write, '.');
    read(go.read, 1);
  };
  const prepare = () => {
    close(stopped.read);
    close(go.write);
    build(request, stop);
  };
  // The working directory stays the one that pivotRoot left, so that the judge can see it.
  const child = spawn(
    { args, env, cwd: '.', stdio: [devNull, devNull, devNull] },
    { cloneFlags: cloneFlags(namespaces), prepare },
  );
  for (const fd of [devNull, stopped.write, go.read]) close(fd);
  current = { pid: child.pid, report: child.report, stopped: stopped.read, go: go.write };
  arrive(current);
  return child.pid;
}

/** Let the child call your function. It stands behind it when this returns; throws what kept it from that. */
export function goOn(): void {
  if (!current) throw new Error('No child is on its way.');
  write(current.go, '.');
  arrive(current);
}

/** Let it become its program. */
export function finish(): void {
  if (!current) throw new Error('No child is on its way.');
  write(current.go, '.');
  end(current);
}

function arrive(child: Child): void {
  if (read(child.stopped, 1)?.length !== 1) end(child);
}

function end({ report, stopped, go }: Child): void {
  current = undefined;
  const failure = readAll(report);
  for (const fd of [report, stopped, go]) close(fd);
  if (failure) throw new Error(`the child failed: ${(JSON.parse(failure) as { message: string }).message}`);
}

function build(request: RootfsRequest, stop: () => void): void {
  const { rootfs, task, mounts, devices, masked, readonly, before, last, walkOutFirst, powerless } = request;
  enterNamespaces(namespaces);
  configureNamespaces(namespaces, { hostname: 'container' });
  for (const target of before) {
    mount({ source: 'tmpfs', target, type: 'tmpfs', data: 'size=16k' });
    mkdirSync(`${target}/below`);
  }
  const steps: [name: string, run: (plank: typeof reference) => unknown][] = [
    ['isolateMounts', (plank) => plank.isolateMounts(rootfs)],
    ['mountAll', (plank) => plank.mountAll(rootfs, mounts)],
    ['createDevices', (plank) => plank.createDevices(rootfs, devices)],
    ['pivotRoot', (plank) => plank.pivotRoot(rootfs)],
    ['protectPaths', (plank) => plank.protectPaths(masked, readonly)],
  ];
  for (const [index, [name, run]] of steps.slice(0, last).entries()) {
    const isMine = index + 1 === task;
    if (isMine) stop();
    if (isMine && powerless) setCapabilities({ permitted: 0n, effective: 0n, inheritable: 0n });
    if (isMine) atOnce(name, run(mine));
    else run(reference);
    if (isMine) stop();
  }
  if (walkOutFirst) walkOut();
}

/**
 * chroot(2): "the superuser can escape from a chroot jail": go into a second root while the working directory stays
 * above it, climb as high as there is, and call that the root.
 */
function walkOut(): void {
  if (!existsSync('/tmp/second-root')) mkdirSync('/tmp/second-root', { recursive: true });
  chroot('/tmp/second-root');
  for (let step = 0; step < 64; step++) chdir('..');
  chroot('.');
}
