/** Lab `overlay`: layers seen as one tree, and what was changed in it. Kernel documentation, filesystems/overlayfs. */

import { NotImplemented } from '#contract/not-implemented';
import type { Change, Layer, OverlayStack, Owner } from '#contract/overlay';

/**
 * Task 1. What mount(2) is told of the stack: `lowerdir=…`, and with an upper `upperdir=…` and `workdir=…`, separated by commas.
 *
 * A backslash goes before each `\`, `:` and `,` of a path. Always `index=off`; then `userxattr` for the unprivileged, and for
 * all others `redirect_dir=off` and `metacopy=off`, so that what a layer holds can be read without its neighbours.
 * @param _stack topmost first.
 * @param _unprivileged in a user namespace: whiteouts and opaque marks are then kept in user.* attributes.
 */
export function overlayData(_stack: OverlayStack, _unprivileged: boolean): string {
  throw new NotImplemented('overlay', 1);
}

/**
 * Task 2. Mount the stack on `target`, in the caller's mount namespace.
 *
 * Three cases: one layer without an upper, which overlayfs refuses and which is to be read-only all the same; options that
 * fit in one page with their final NUL (4,096 bytes, not characters); and more than that, up to 500 layers. Other file systems that
 * are mounted below a layer are not seen. Whether it succeeds or throws, the working directory is `/` or what it was, and no
 * descriptor is left open; if it throws, nothing is left mounted on `target`.
 * @throws KernelError of mount(2), or of open(2) for a directory that is missing.
 */
export function mountOverlay(_target: string, _stack: OverlayStack, _unprivileged: boolean): void {
  throw new NotImplemented('overlay', 2);
}

/**
 * Task 3. Make the directories of a container's own: `upper`, with the owner and the mode of `like` whatever the umask is,
 * since it is what the container sees as `/`; and `work`, mode 0700, for the kernel alone. One that is there already is from
 * an earlier start and keeps its mode and what is in it.
 * @param _like the root of the topmost layer.
 * @param _owner root of the container's user namespace, if it has one: both directories are to be this one's, also those
 *   that are there already.
 */
export function makeRootDirectories(_root: { upper: string; work: string }, _like: string, _owner?: Owner): void {
  throw new NotImplemented('overlay', 3);
}

/**
 * Task 4. What `docker diff` says: how the tree that is seen with `upper` on top differs from the one that is seen without it.
 *
 * - Something is *added* where nothing was seen, *deleted* where nothing is seen any more, and *changed* when type, mode,
 *   owner, device, capability or, of anything but a directory, size or modification time differ. That it is in `upper` is
 *   no change yet: opening a file for writing copies it.
 * - A directory with a change anywhere below it has changed too. The root is never listed.
 * - Of a deleted directory nothing below is listed, and neither when something that is not a directory has taken its place.
 *   Where a directory is made anew, the names that were in it and are not any more are deleted.
 * - What is seen of `lowers` is what overlayfs shows: a whiteout, the character device 0:0, hides a name; a directory whose
 *   attribute `opaque` is `y` hides what all layers below it have in it; what is not a directory hides all of it. No other
 *   device is a whiteout (0:7 is not, nor the block device 0:0), and `opaque` on a layer's root has no effect.
 *
 * An attribute is called `trusted.overlay.NAME`, or `user.overlay.NAME` where it was made without privileges.
 * @param _lowers topmost first.
 * @returns sorted by the bytes of the path.
 * @throws Error that names a directory of `upper` with the attribute `redirect`: its content is under another name.
 */
export function changesOf(_upper: Layer, _lowers: Layer[]): Change[] {
  throw new NotImplemented('overlay', 4);
}
