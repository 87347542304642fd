/** A container's root as a stack of layers. Kernel documentation, filesystems/overlayfs. */

import { mount } from '#kernel/mounts';
import type { OverlayRoot } from './spec.ts';

/**
 * Mount the stack on `target`, in the caller's mount namespace, whose mounts are private by now.
 * @param unprivileged in a user namespace: whiteouts and opaque marks are then kept in user.* attributes.
 */
export function mountOverlay(target: string, { lower, upper, work }: OverlayRoot, unprivileged: boolean): void {
  const options = [
    `lowerdir=${lower.map(escapePath).join(':')}`,
    `upperdir=${escapePath(upper)}`,
    `workdir=${escapePath(work)}`,
    'index=off',
    // A renamed directory is copied, so that what a layer holds can be read without its neighbours; userxattr implies it.
    unprivileged ? 'userxattr' : 'redirect_dir=off',
  ];
  mount({ source: 'overlay', target, type: 'overlay', data: options.join(',') });
}

function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, (character) => `\\${character}`);
}
