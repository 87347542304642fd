/** What an overlay's upperdir means for the tree below it, as `docker diff` says it. */

import type { Change, Layer, LayerEntry } from '#contract/overlay';

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
