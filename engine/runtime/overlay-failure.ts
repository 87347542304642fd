/** Why a stack was not mounted, in words: mount(2) says EINVAL for most of it, and the rest only to the kernel's log. */

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { inUserNamespace } from '#kernel/user-namespace';
import type { OverlayRoot } from './spec.ts';
import { unfitForUpper } from './unfit-file-systems.ts';

/** OVL_MAX_STACK of the kernel's fs/overlayfs/params.h. */
const MOST_LAYERS = 500;

/** Do what mounts `overlay`. @throws what it throws, and where the reason can be found out it is in the message, with a way out. */
export function explainingOverlay<T>(overlay: OverlayRoot, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason =
      error instanceof Error && 'syscall' in error ? reasonFor(overlay, error as NodeJS.ErrnoException) : '';
    if (reason !== '') (error as Error).message += `. ${reason}`;
    throw error;
  }
}

function reasonFor({ lower, upper, work }: OverlayRoot, { code }: NodeJS.ErrnoException): string {
  if (lower.length > MOST_LAYERS)
    return `The kernel stacks at most ${MOST_LAYERS} layers, and these are ${lower.length}; make one of them by docker export and docker import.`;
  const missing = [...lower, upper, work].find((path) => !isDirectory(path));
  if (missing !== undefined) return `There is no directory ${missing}.`;
  if (code === 'ENODEV') return 'This kernel has no overlay file system; try: sudo modprobe overlay';
  if (code === 'EPERM' && inUserNamespace())
    return 'An ordinary user may mount an overlay since Linux 5.11; take a newer kernel, or run the engine as root.';
  const unfit = unfitForUpper(upper);
  const elsewhere =
    'Keep the engine’s files on a local disk with ext4, xfs or btrfs: skiff --root DIRECTORY, or SKIFF_ROOT';
  if (unfit !== undefined)
    return `${dirname(upper)} lies on ${unfit}, which cannot take what a container writes. ${elsewhere}.`;
  if (statSync(upper).dev !== statSync(work).dev) return `${upper} and ${work} have to be on the same file system.`;
  return '';
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
