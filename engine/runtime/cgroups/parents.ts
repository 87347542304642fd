import { dirname } from 'node:path';
import { hostCgroups } from './host.ts';

/** Every engine keeps its cgroups below this one; what lies elsewhere is somebody else's. */
const OURS = '/skiff';

/** Remove the parents of `path` that are empty and ours, upwards. An engine that shares one with us keeps it. */
export function releaseParents(path: string): void {
  for (let each = dirname(path); each === OURS || each.startsWith(`${OURS}/`); each = dirname(each)) {
    if (!hostCgroups().removeEmpty(each)) return;
  }
}
