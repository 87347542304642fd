/** Layers thrown together: the judge's, and never in the sandbox. */

import type { LayerEntry } from '../../../engine/runtime/contract/overlay.ts';
import { draw } from '../../../grader/harness/random.ts';
import { directory, type Entries, file, opaque, whiteout } from './entries.ts';

/** `count` layers of a few names, topmost first; names are few, so that they meet. */
export function randomStack(count: number): Entries[] {
  return Array.from({ length: count }, () => {
    const layer: Entries = { '': directory() };
    const fill = (path: string, depth: number) => {
      for (const name of ['a', 'b', 'c']) {
        if (draw.int(1, 100) <= 35) continue;
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
  const one = draw.int(0, 99) / 100;
  if (one < 0.2) return whiteout();
  if (one < 0.4 || depth > 2) return file({ size: draw.int(0, 1) });
  return one < 0.6 ? opaque() : directory();
}
