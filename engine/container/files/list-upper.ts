import { layerIn } from '../../runtime/layer-directory.ts';
import type { UpperEntry } from './request.ts';

/** Everything in the upperdir that is the root of this process, each directory before what is in it. */
export function* listUpper(): Generator<UpperEntry> {
  const layer = layerIn('/');
  const below = function* (directory: string): Generator<UpperEntry> {
    for (const name of layer.names(directory)) {
      const path = directory === '' ? name : `${directory}/${name}`;
      const entry = layer.entry(path);
      if (!entry) continue;
      yield { path, ...entry, mtime: `${entry.mtime}` };
      if (entry.type === 'directory') yield* below(path);
    }
  };
  yield* below('');
}
