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
  let timer: NodeJS.Timeout | undefined;
  const release = () => {
    clearTimeout(timer);
    for (const path of paths.values()) releaseParents(path);
    paths.clear();
  };
  return {
    used(path) {
      clearTimeout(timer);
      if (path !== undefined) paths.set(dirname(path), path);
    },
    idle() {
      clearTimeout(timer);
      timer = setTimeout(release, IDLE_MILLISECONDS).unref();
    },
    release,
  };
}
