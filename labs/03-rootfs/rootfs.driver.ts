/**
 * How the engine uses the plank `rootfs`: the story of a start, with the engine's own fork and namespaces.
 * The check runs this with your module, and then looks at the process's mounts from outside.
 */

import { mkdirSync } from 'node:fs';
import { close, O_RDWR, open, readAll } from '#kernel/descriptors';
import { chdir } from '#kernel/execve';
import { chroot, MS_REC, MS_SHARED, mount } from '#kernel/mounts';
import { cloneFlags, configureNamespaces, enterNamespaces } from '#namespaces';
import { spawn } from '#process';
import { createDevices, isolateMounts, mountAll, pivotRoot, protectPaths } from '#rootfs';
import type { Device, Mount, Namespace } from '#spec';

export interface RootfsRequest {
  args: string[];
  env: string[];
  rootfs: string;
  mounts: Mount[];
  devices: Device[];
  masked?: string[];
  readonly?: string[];
  /** After the pivot, walk out of a chroot the classic way before the program runs. */
  walkOutFirst?: boolean;
}

const namespaces: Namespace[] = [
  { type: 'pid' },
  { type: 'mount' },
  { type: 'ipc' },
  { type: 'network' },
  { type: 'uts' },
];

/** @returns the pid of the program, as the subject sees it. Throws what kept it from running. */
export function startContainer(request: RootfsRequest): number {
  const { args, env, rootfs, mounts, devices, masked = [], readonly = [], walkOutFirst = false } = request;
  // As on every machine with systemd: what is mounted in one namespace shows up in its copies.
  mount({ target: '/', flags: MS_REC | MS_SHARED });
  const devNull = open('/dev/null', O_RDWR);
  const child = spawn(
    // The working directory stays the one that pivotRoot left, so that the judge can see it.
    { args, env, cwd: '.', stdio: [devNull, devNull, devNull] },
    {
      cloneFlags: cloneFlags(namespaces),
      prepare: () => {
        enterNamespaces(namespaces);
        configureNamespaces(namespaces, { hostname: 'container' });
        isolateMounts(rootfs);
        mountAll(rootfs, mounts);
        createDevices(rootfs, devices);
        pivotRoot(rootfs);
        protectPaths(masked, readonly);
        if (walkOutFirst) walkOut();
      },
    },
  );
  close(devNull);
  const failure = readAll(child.report);
  close(child.report);
  if (failure) throw new Error(`the child failed: ${(JSON.parse(failure) as { message: string }).message}`);
  return child.pid;
}

/**
 * chroot(2): "the superuser can escape from a chroot jail": go into a second root while the working directory stays
 * above it, climb as high as there is, and call that the root.
 */
function walkOut(): void {
  mkdirSync('/tmp/second-root', { recursive: true });
  chroot('/tmp/second-root');
  for (let step = 0; step < 64; step++) chdir('..');
  chroot('.');
}
