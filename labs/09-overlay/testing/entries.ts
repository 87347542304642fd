/** Layers that are only said and not made: what stands at each path. '' is the root. */

import type { Layer, LayerEntry } from '../../../engine/runtime/contract/overlay.ts';

export type Entries = Record<string, LayerEntry>;

const plain: LayerEntry = {
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  major: 0,
  minor: 0,
  attributes: {},
};

export const file = (more: Partial<LayerEntry> = {}): LayerEntry => ({ ...plain, ...more });
export const directory = (more: Partial<LayerEntry> = {}) => file({ type: 'directory', mode: 0o755, ...more });
export const symlink = () => file({ type: 'symlink', mode: 0o777 });
export const device = (major: number, minor: number) => file({ type: 'character-device', major, minor });
export const whiteout = () => device(0, 0);
export const redirected = (to: string) => directory({ attributes: { 'user.overlay.redirect': to } });
export const opaque = () => directory({ attributes: { 'user.overlay.opaque': 'y' } });

export function layerOf(entries: Entries): Layer {
  const parentOf = (path: string) => path.slice(0, Math.max(path.lastIndexOf('/'), 0));
  return {
    entry: (path) => (Object.hasOwn(entries, path) ? entries[path] : undefined),
    names: (directory) =>
      Object.keys(entries)
        .filter((path) => path !== '' && parentOf(path) === directory)
        .map((path) => path.slice(path.lastIndexOf('/') + 1)),
  };
}

/** `count` layers of a few names, topmost first; names are few, so that they meet. */
export function randomStack(count: number): Entries[] {
  return Array.from({ length: count }, () => {
    const layer: Entries = { '': directory() };
    const fill = (path: string, depth: number) => {
      for (const name of ['a', 'b', 'c']) {
        if (Math.random() < 0.35) continue;
        const below = path === '' ? name : `${path}/${name}`;
        const entry = randomEntry(depth);
        layer[below] = entry;
        if (entry.type === 'directory') fill(below, depth + 1);
      }
    };
    fill('', 0);
    return layer;
  });
}

function randomEntry(depth: number): LayerEntry {
  const one = Math.random();
  if (one < 0.2) return whiteout();
  if (one < 0.4 || depth > 2) return file({ size: Math.floor(Math.random() * 2) });
  return one < 0.6 ? opaque() : directory();
}
