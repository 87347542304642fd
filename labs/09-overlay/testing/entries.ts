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
export const blockDevice = (major: number, minor: number) => file({ type: 'block-device', major, minor });
export const redirected = (to: string, prefix: 'user' | 'trusted') =>
  directory({ attributes: { [`${prefix}.overlay.redirect`]: to } });
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
