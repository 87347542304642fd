/** A container's root as a stack of layers. Kernel documentation, filesystems/overlayfs. */

import { close, O_DIRECTORY, O_PATH, open } from '#kernel/descriptors';
import { chdir } from '#kernel/execve';
import { mount } from '#kernel/mounts';
import type { OverlayRoot } from './spec.ts';

/** mount(2) copies one page of options and cuts the rest off. */
const LONGEST_OPTIONS = 4095;

/**
 * Mount the stack on `target`, in the caller's mount namespace, whose mounts are private by now.
 * @param unprivileged in a user namespace: whiteouts and opaque marks are then kept in user.* attributes.
 */
export function mountOverlay(target: string, overlay: OverlayRoot, unprivileged: boolean): void {
  const mountWith = (data: string) => mount({ source: 'overlay', target, type: 'overlay', data });
  const options = overlayOptions(overlay, unprivileged);
  if (Buffer.byteLength(options) <= LONGEST_OPTIONS) mountWith(options);
  else withShortNames(overlay, (short) => mountWith(overlayOptions(short, unprivileged)));
}

/** What mount(2) is told of the stack. */
export function overlayOptions({ lower, upper, work }: OverlayRoot, unprivileged: boolean): string {
  return [
    `lowerdir=${lower.map(escapePath).join(':')}`,
    `upperdir=${escapePath(upper)}`,
    `workdir=${escapePath(work)}`,
    'index=off',
    // A renamed directory is copied, so that what a layer holds can be read without its neighbours; userxattr implies it.
    unprivileged ? 'userxattr' : 'redirect_dir=off',
  ].join(',');
}

function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, (character) => `\\${character}`);
}

/** Seen from /proc/self/fd the name of an open directory is its number: three bytes instead of a hundred. */
function withShortNames(overlay: OverlayRoot, use: (short: OverlayRoot) => void): void {
  const opened: number[] = [];
  const shorten = (path: string) => {
    const fd = open(path, O_PATH | O_DIRECTORY);
    opened.push(fd);
    return String(fd);
  };
  try {
    const { lower, upper, work } = overlay;
    const short = { lower: lower.map(shorten), upper: shorten(upper), work: shorten(work) };
    chdir('/proc/self/fd');
    use(short);
  } finally {
    chdir('/');
    for (const fd of opened) close(fd);
  }
}
