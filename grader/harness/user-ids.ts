/** Which ids of this machine a sandbox gets, and what else depends on who the judge is. user_namespaces(7). */

import fs from 'node:fs';
import { mountedHierarchies } from '../../engine/runtime/cgroups/detect.ts';

export interface IdRange {
  first: number;
  size: number;
}

const FAR_ABOVE = 0x3b000000;
const IDS = 65536;

/**
 * The ids that are 0, 1, … in the sandbox of a slot. On a machine with all of its ids: far above anyone's, and no two
 * sandboxes alike. For an ordinary user: the subordinate ids, or where there are none, the user's own id alone.
 */
export function sandboxIds(shimPid: number, slot: number): IdRange {
  const own = { first: FAR_ABOVE + ((shimPid % 1000) * 16 + slot) * IDS, size: IDS };
  const fits = ({ first, size }: IdRange) =>
    mappedIds().some((range) => range.first <= first && first + size <= range.first + range.size);
  return [own, { first: 1, size: IDS - 1 }].find(fits) ?? { first: 0, size: 1 };
}

/** The ids that exist in this process's user namespace. Neighbouring lines of the map are one range. */
function mappedIds(): IdRange[] {
  const ranges: IdRange[] = [];
  for (const line of fs.readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n')) {
    const [first, , size] = line.trim().split(/\s+/).map(Number);
    const last = ranges.at(-1);
    if (last !== undefined && last.first + last.size === first) last.size += size!;
    else ranges.push({ first: first!, size: size! });
  }
  return ranges;
}

/** Whether sandboxes can have limits of memory, CPU and processes. */
export function canMakeCgroups(): boolean {
  const { v1, v2 } = mountedHierarchies();
  const roots = v1.length > 0 ? v1 : v2 === null ? [] : [v2];
  try {
    for (const { mountPoint } of roots) fs.accessSync(mountPoint, fs.constants.W_OK);
    return roots.length > 0;
  } catch {
    return false;
  }
}
