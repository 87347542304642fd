/** The story of a container, as its first process lives it: from the fork to the moment it becomes the program. */

import { fstatSync } from 'node:fs';
import { leadSession } from '#exec';
import { KernelError } from '#kernel/errors';
import { chdir } from '#kernel/execve';
import { chroot, MOUNT_ATTR_RDONLY, setMountAttributes } from '#kernel/mounts';
import { inUserNamespace } from '#kernel/user-namespace';
import { configureNamespaces, enterNamespaces } from '#namespaces';
import { mountOverlay } from '#overlay';
import { createDevices, pivotRoot, protectPaths } from '#rootfs';
import { becomeUser } from './become.ts';
import { bringsDevices, withDefaultDevices } from './devices.ts';
import type { Holds } from './holds.ts';
import { type ChildSide, waitForParent } from './launch.ts';
import { type MappedRoot, placeMappedRoot } from './mapped-root.ts';
import { mountEverything } from './mount-everything.ts';
import { explainingOverlay } from './overlay-failure.ts';
import { makePathInRoot, withPathInRoot } from './path-in-root.ts';
import { isolateMountsAs, setRootPropagation } from './propagation.ts';
import { hasOwnMounts, type Spec } from './spec.ts';
import { step } from './step.ts';
import { setKernelParameters } from './sysctl.ts';
import { bindConsole, takeTerminal } from './terminal.ts';
import { underInit } from './under-init.ts';

const ENOTDIR = 20;

export interface Init extends ChildSide {
  spec: Spec;
  /** What its parent has ready of a root with mapped ids; null for a root that it mounts itself. */
  mapped: MappedRoot | null;
  holds?: Holds;
}

/**
 * Runs in the child, in the namespaces it was cloned into. Returns when only the exec is left to do.
 *
 * Why this order: the cgroup namespace is rooted where the process is when it is made, so the cgroup comes first. Ids
 * must be mapped before anything is owned. What is done to the old root (mounts made private, devices, the console)
 * has to be done before the pivot; what must not be disturbed by the image's own symbolic links, after it. The
 * parameters in /proc/sys are written before /proc/sys becomes read-only, and powers are given up last.
 */
export function initialize({ spec, mapped, program, cgroup, seccomp, terminal, parent, go, holds }: Init): void {
  const { namespaces } = spec.linux;
  waitForParent({ parent, go });
  cgroup?.join();
  step('namespaces', () => enterNamespaces(namespaces));
  step('namespaces', () => configureNamespaces(namespaces, spec));
  const apart = hasOwnMounts(namespaces);
  const mounts = mapped ? placeMappedRoot(mapped, spec.root.path, spec.mounts) : spec.mounts;
  if (apart) prepareRoot(spec, mapped);
  const makeRestReadonly = mountEverything(spec.root.path, mounts, spec.linux.cgroupsPath);
  if (!bringsDevices(spec.mounts))
    step('devices', () => createDevices(spec.root.path, withDefaultDevices(spec.linux.devices ?? [])));
  if (terminal) {
    takeTerminal(spec.root.path, terminal);
    bindConsole(spec.root.path, terminal);
  } else leadSession(null);
  makeRestReadonly();
  holds?.beforePivot?.();
  if (apart) step('pivot root', () => pivotRoot(spec.root.path));
  else step('change root', () => changeRoot(spec.root.path));
  step('root propagation', () => setRootPropagation(spec.linux.rootfsPropagation));
  setKernelParameters(spec.linux.sysctl ?? {});
  step('protect paths', () => protectPaths(spec.linux.maskedPaths ?? [], spec.linux.readonlyPaths ?? []));
  makeWorkingDirectory(spec.process.cwd);
  if (spec.root.readonly) makeRootReadonly();
  if (spec.process.init) program.args = step('init', () => underInit(program));
  becomeUser({ process: spec.process, program, parent, seccomp, holds });
}

function prepareRoot({ root, linux: { namespaces, rootfsPropagation } }: Spec, mapped: MappedRoot | null): void {
  const { path, overlay } = root;
  const unprivileged = inUserNamespace() || namespaces.some(({ type }) => type === 'user');
  step('isolate mounts', () => isolateMountsAs(path, rootfsPropagation));
  if (overlay && !mapped)
    step('mount overlay', () => explainingOverlay(overlay, () => mountOverlay(path, overlay, unprivileged)));
}

/** Where the mounts are the host's nothing can be pivoted. chroot(2) keeps in only who may not call it. */
function changeRoot(path: string): void {
  chroot(path);
  chdir('/');
}

/** As Docker has it: a working directory the image does not have is made, for root. */
function makeWorkingDirectory(cwd: string): void {
  // mkdirSync would try for ever to make /proc/self/fd/99, and would go through /proc/self/fd/9 to the host.
  step('working directory', () => {
    makePathInRoot('/', cwd, 'directory');
    withPathInRoot('/', cwd, (fd) => {
      if (!fstatSync(fd).isDirectory()) throw new KernelError('mkdir', ENOTDIR, cwd);
    });
  });
}

function makeRootReadonly(): void {
  step('read-only root', () => withPathInRoot('/', '/', (root) => setMountAttributes(root, MOUNT_ATTR_RDONLY)));
}
