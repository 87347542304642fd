/**
 * Make a container's tree the root of this process, so that the kernel keeps every path inside, also one that somebody
 * in the container changes at this moment. chroot(2).
 */

import { setFileSystemIds } from '#kernel/credentials';
import { chdir, fchdir } from '#kernel/execve';
import { chroot, copyMount, MOUNT_ATTR_RDONLY, setMountAttributes } from '#kernel/mounts';
import { CLONE_FS, CLONE_NEWNS, setns, unshare } from '#kernel/namespaces';
import { inUserNamespace } from '#kernel/user-namespace';
import { mountOverlay } from '#overlay';
import { setCapabilitySets } from '#privileges';
import { isolateMounts } from '#rootfs';
import { mountEverything } from '../../runtime/mount-everything.ts';
import { explainingOverlay } from '../../runtime/overlay-failure.ts';
import { withPathInRoot } from '../../runtime/path-in-root.ts';
import { idOutside } from './id-maps.ts';
import type { Tree } from './request.ts';

const ROOT = 3;
const MOUNT_NAMESPACE = 4;

/**
 * What it takes to read and to make any file, and to see overlayfs's own attributes. Not CAP_SYS_PTRACE: without it a
 * /proc that shows the host's processes does not lead into their trees. proc(5), "/proc/pid/root".
 */
const POWERS = ['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP', 'SYS_ADMIN'].map(
  (name) => `CAP_${name}`,
);

/** From here on only synchronous calls see the tree: other threads of this process may still be outside. */
export function enterTree(tree: Tree): void {
  if (tree.kind === 'stack') mountStack(tree);
  if (tree.kind === 'stack') chdir(tree.target);
  else fchdir(tree.kind === 'bare' ? bareRoot() : ROOT);
  chroot('.');
  const root = tree.kind === 'stack' || !tree.ids ? null : tree.ids;
  // What is made here has to have an owner in the container.
  if (root) setFileSystemIds(idOutside(root, 'uid', 0), idOutside(root, 'gid', 0));
  setCapabilitySets({ permitted: POWERS, effective: POWERS });
}

/** The mounts are seen by this process alone, and end with it. */
function mountStack({ target, overlay, mounts, readonly }: Extract<Tree, { kind: 'stack' }>): void {
  unshare(CLONE_NEWNS);
  isolateMounts(target);
  explainingOverlay(overlay, () => mountOverlay(target, overlay, inUserNamespace()));
  // The same call as at a start, so that every option means the same: mount(2) has no flag for `rro`.
  mountEverything(target, mounts, undefined)();
  if (readonly) withPathInRoot(target, '/', (root) => setMountAttributes(root, MOUNT_ATTR_RDONLY));
}

function bareRoot(): number {
  // setns(2): a thread can only go to another mount namespace when nobody shares its root directory with it.
  unshare(CLONE_FS);
  setns(MOUNT_NAMESPACE, CLONE_NEWNS);
  return copyMount(ROOT);
}
