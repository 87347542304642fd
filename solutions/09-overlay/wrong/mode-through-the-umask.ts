// killed by: task 3: the upper has the mode of the layer’s root, whatever the umask
import { chmodSync, lchownSync, mkdirSync, statSync } from 'node:fs';
import type { Change, Layer, LayerEntry, OverlayStack, Owner } from '#contract/overlay';
import { close, O_DIRECTORY, O_PATH, open } from '#kernel/descriptors';
import { chdir } from '#kernel/execve';
import { MOUNT_ATTR_RDONLY, MS_BIND, mount, setMountAttributes } from '#kernel/mounts';

/** mount(2) copies one page of options and cuts the rest off. */
const LONGEST_DATA = 4095;

export function mountOverlay(target: string, stack: OverlayStack, unprivileged: boolean): void {
  const [only, second] = stack.lower;
  if (stack.upper === undefined && only !== undefined && second === undefined) {
    bindReadonly(only, target);
    return;
  }
  const mountWith = (data: string) => mount({ source: 'overlay', target, type: 'overlay', data });
  const data = overlayData(stack, unprivileged);
  if (Buffer.byteLength(data) <= LONGEST_DATA) mountWith(data);
  else withShortNames(stack, (short) => mountWith(overlayData(short, unprivileged)));
}

export function overlayData({ lower, upper, work }: OverlayStack, unprivileged: boolean): string {
  return [
    `lowerdir=${lower.map(escapePath).join(':')}`,
    ...(upper === undefined ? [] : [`upperdir=${escapePath(upper)}`]),
    ...(work === undefined ? [] : [`workdir=${escapePath(work)}`]),
    'index=off',
    // Whatever a kernel was built with: a renamed directory and a file with a new mode are copied as a whole. userxattr implies it.
    ...(unprivileged ? ['userxattr'] : ['redirect_dir=off', 'metacopy=off']),
  ].join(',');
}

export function makeRootDirectories(root: { upper: string; work: string }, like: string, owner?: Owner): void {
  const { uid, gid, mode } = statSync(like);
  if (makeIfMissing(root.upper, mode & 0o7777)) {
    lchownSync(root.upper, uid, gid);
    if (mode === 0) chmodSync(root.upper, 0o700);
  }
  makeIfMissing(root.work);
  if (owner) for (const directory of [root.upper, root.work]) lchownSync(directory, owner.uid, owner.gid);
}

function makeIfMissing(directory: string, mode = 0o700): boolean {
  try {
    mkdirSync(directory, { mode });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, (character) => `\\${character}`);
}

/**
 * overlayfs wants two layers, or an upper. The flags of a bind are ignored, and a remount would have to repeat those that
 * a user namespace may not take away: mount_setattr(2) adds to what there is.
 */
function bindReadonly(directory: string, target: string): void {
  mount({ source: directory, target, flags: MS_BIND });
  const fd = open(target, O_PATH | O_DIRECTORY);
  try {
    setMountAttributes(fd, MOUNT_ATTR_RDONLY);
  } finally {
    close(fd);
  }
}

/** Seen from /proc/self/fd the name of an open directory is its number: three bytes instead of a hundred. */
function withShortNames(stack: OverlayStack, use: (short: OverlayStack) => void): void {
  const opened: number[] = [];
  const shorten = (path: string) => {
    const fd = open(path, O_PATH | O_DIRECTORY);
    opened.push(fd);
    return String(fd);
  };
  try {
    const lower = stack.lower.map(shorten);
    const upper = stack.upper && shorten(stack.upper);
    const work = stack.work && shorten(stack.work);
    chdir('/proc/self/fd');
    use({ lower, upper, work });
  } finally {
    chdir('/');
    for (const fd of opened) close(fd);
  }
}

export function changesOf(upper: Layer, lowers: Layer[]): Change[] {
  const found: Change[] = [];
  /**
   * @param old the lower layers that have this directory, as far as they are seen, topmost first.
   * @param hidden whether the directory shows nothing of them.
   */
  const walk = (directory: string, old: Layer[], hidden: boolean): void => {
    const names = upper.names(directory);
    for (const name of names) visit(join(directory, name), old, hidden);
    if (!hidden) return;
    const own = new Set(names);
    for (const name of namesSeen(old, directory)) if (!own.has(name)) record(join(directory, name), 'deleted');
  };
  const visit = (path: string, old: Layer[], hidden: boolean): void => {
    const entry = upper.entry(path);
    if (!entry) return;
    const { seen, merged } = look(old, path);
    if (isWhiteout(entry)) {
      if (seen) record(path, 'deleted');
      return;
    }
    if (mark(entry, 'redirect') !== undefined && entry.type === 'directory')
      throw new Error(`${path} has its content under another name in a lower layer; mount with redirect_dir=off.`);
    const before = found.length;
    if (!seen) record(path, 'added');
    else if (!isSame(entry, seen)) record(path, 'changed');
    const own = found.length;
    if (entry.type === 'directory') walk(path, merged, hidden || mark(entry, 'opaque') === 'y');
    if (own === before && found.length > own) record(path, 'changed');
  };
  const record = (path: string, kind: Change['kind']) => found.push({ path: `/${path}`, kind });
  walk('', lowers, false);
  return sorted(found);
}

/** What is seen of `layers` at a path whose parent each of them has as a directory that is seen; and which of them have it, if it is one. */
function look(layers: Layer[], path: string): { seen: LayerEntry | undefined; merged: Layer[] } {
  let seen: LayerEntry | undefined;
  const merged: Layer[] = [];
  for (const layer of layers) {
    const entry = layer.entry(path);
    if (!entry) continue;
    if (isWhiteout(entry)) break;
    seen ??= entry;
    if (entry.type !== 'directory') break;
    merged.push(layer);
    if (mark(entry, 'opaque') === 'y') break;
  }
  return { seen, merged };
}

function namesSeen(layers: Layer[], directory: string): string[] {
  const names = new Set(layers.flatMap((layer) => layer.names(directory)));
  return [...names].filter((name) => look(layers, join(directory, name)).seen);
}

/** The kernel's own form of a deleted name. */
function isWhiteout({ type, major, minor }: LayerEntry): boolean {
  return type === 'character-device' && major === 0 && minor === 0;
}

function mark({ attributes }: LayerEntry, name: string): string | undefined {
  return attributes[`trusted.overlay.${name}`] ?? attributes[`user.overlay.${name}`];
}

function isSame(a: LayerEntry, b: LayerEntry): boolean {
  return (
    a.type === b.type &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.major === b.major &&
    a.minor === b.minor &&
    a.attributes['security.capability'] === b.attributes['security.capability'] &&
    // A directory's own size and time tell of the names in it.
    (a.type === 'directory' || (a.size === b.size && a.mtime === b.mtime))
  );
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function sorted(changes: Change[]): Change[] {
  return changes
    .map((change) => ({ change, bytes: Buffer.from(change.path) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ change }) => change);
}
