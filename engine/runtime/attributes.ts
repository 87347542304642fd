/** Extended attributes of a file: which are its own, and which are marks of overlayfs. xattr(7). */

import { getXattr, listXattrs } from '#kernel/xattr';

/** Those that belong to the file itself, sorted: not what overlayfs, SELinux or the host keep there. xattr(7). */
export function xattrsOf(path: string): Map<string, Buffer> {
  return readXattrs(path, (name) => name === 'security.capability' || isOfUser(name));
}

/** overlayfs's own attributes by their last part, e.g. `opaque`; the prefix is another one when it was mounted without privileges. */
export function overlayMarks(path: string): Map<string, Buffer> {
  const marks = readXattrs(path, (name) => OVERLAY.test(name));
  return new Map([...marks].map(([name, value]) => [name.replace(OVERLAY, ''), value]));
}

const OVERLAY = /^(?:trusted|user)\.overlay\./;

function readXattrs(path: string, wanted: (name: string) => boolean): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of listXattrs(path).filter(wanted).sort()) {
    const value = getXattr(path, name);
    if (value) found.set(name, value);
  }
  return found;
}

/** overlayfs keeps its marks among the user's when it is mounted without privileges. */
export function isOfUser(name: string): boolean {
  return name.startsWith('user.') && !name.startsWith('user.overlay.');
}
