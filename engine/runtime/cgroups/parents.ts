import { dirname } from 'node:path';
import { hostCgroups } from './host.ts';

/** Every engine keeps its cgroups below this one; what lies elsewhere is somebody else's. */
const OURS = '/skiff';

/** @throws Error for a path that is not plain, from the root of the hierarchy on: `..` in it would lead out of the tree. */
export function checkCgroupsPath(path: string): void {
  if (!/^(\/[^/]+)+$/.test(path) || path.split('/').some((part) => part === '.' || part === '..'))
    throw new Error(`A cgroupsPath looks like ${OURS}/key/name, from the root of the hierarchy on; this is ${path}.`);
}

/** @throws Error for a path that is not below ours, where nothing may be killed or removed. */
export function checkOurs(path: string): void {
  checkCgroupsPath(path);
  if (!path.startsWith(`${OURS}/`)) throw new Error(`The cgroup ${path} is not below ${OURS}; it is left alone.`);
}

/** Remove the parents of `path` that are empty and ours, upwards. An engine that shares one with us keeps it. */
export function releaseParents(path: string): void {
  for (let each = dirname(path); each === OURS || each.startsWith(`${OURS}/`); each = dirname(each)) {
    if (!hostCgroups().removeEmpty(each)) return;
  }
}

/** The parents of `path` that are not there yet in any hierarchy, topmost first. */
function missingParents(path: string): string[] {
  const names = path.split('/').filter(Boolean).slice(0, -1);
  const parents = names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
  return parents.filter((parent) => hostCgroups().find(parent) === null);
}

export interface IdleParents {
  /** A container is about to be put at this path. */
  used(path: string | undefined): void;
  /** Nothing runs any more: remove the parents, unless something is started soon. */
  idle(): void;
  /** Remove them now. */
  release(): void;
}

/** To make and to remove the parents anew for each of many short containers would cost each a millisecond. */
const IDLE_MILLISECONDS = 2_000;

/** Sees to it that the parents of containers' cgroups do not outlive the containers for long. */
export function idleParents(): IdleParents {
  // A path for each parent, since many containers share one.
  const paths = new Map<string, string>();
  // Below a parent that somebody asked for: those that were not there before.
  const made = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const release = () => {
    clearTimeout(timer);
    for (const path of paths.values()) releaseParents(path);
    paths.clear();
    // The deepest first; what somebody else uses by now stays.
    for (const path of [...made].sort().reverse()) hostCgroups().removeEmpty(path);
    made.clear();
  };
  return {
    used(path) {
      clearTimeout(timer);
      if (path === undefined) return;
      if (!path.startsWith(`${OURS}/`) && !paths.has(dirname(path)))
        for (const parent of missingParents(path)) made.add(parent);
      paths.set(dirname(path), path);
    },
    idle() {
      clearTimeout(timer);
      timer = setTimeout(release, IDLE_MILLISECONDS).unref();
    },
    release,
  };
}
