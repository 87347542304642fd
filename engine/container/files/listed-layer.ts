import type { Layer, LayerEntry } from '#contract/overlay';
import type { UpperEntry } from './request.ts';

/** A layer's root is a directory; what else it is, is never a change. */
const ROOT: LayerEntry = {
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  major: 0,
  minor: 0,
  attributes: {},
};

/** A layer of which only a list is here. @param lines of `UpperEntry`, each directory before what is in it. */
export function listedLayer(lines: string): Layer {
  const entries = new Map<string, LayerEntry>([['', ROOT]]);
  const names = new Map<string, string[]>([['', []]]);
  for (const line of lines.split('\n')) {
    if (line === '') continue;
    const { path, mtime, ...rest } = JSON.parse(line) as UpperEntry;
    const slash = path.lastIndexOf('/');
    entries.set(path, { ...rest, mtime: BigInt(mtime) });
    names.get(path.slice(0, Math.max(slash, 0)))?.push(path.slice(slash + 1));
    if (rest.type === 'directory') names.set(path, []);
  }
  return { entry: (path) => entries.get(path), names: (path) => names.get(path) ?? [] };
}
