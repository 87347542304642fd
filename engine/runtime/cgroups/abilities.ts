import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { delegatedTree } from './delegated.ts';
import { cgroupVersion, mountedHierarchies } from './detect.ts';
import { readValue } from './files.ts';

/** What this host's kernel can do to a container's cgroup, by Docker's names. */
export interface CgroupAbilities {
  /** Null when there are no control groups. */
  version: 1 | 2 | null;
  memory: boolean;
  swap: boolean;
  swappiness: boolean;
  oomKillDisable: boolean;
  cpu: boolean;
  cpuset: boolean;
  pids: boolean;
  ioWeight: boolean;
  ioThrottle: boolean;
}

export const NO_CGROUPS: CgroupAbilities = {
  version: null,
  memory: false,
  swap: false,
  swappiness: false,
  oomKillDisable: false,
  cpu: false,
  cpuset: false,
  pids: false,
  ioWeight: false,
  ioThrottle: false,
};

let known: CgroupAbilities | undefined;

/** As the kernel's files say, which nothing changes while the engine lives. @throws Error where no tree is ours */
export function hostAbilities(): CgroupAbilities {
  known ??= findAbilities();
  return known;
}

function findAbilities(): CgroupAbilities {
  const hierarchies = mountedHierarchies();
  const version = cgroupVersion(hierarchies);
  if (version === null) return NO_CGROUPS;
  return version === 1 ? abilitiesOfV1(hierarchies.v1) : abilitiesOfV2(delegatedTree([hierarchies.v2!], 2));
}

function abilitiesOfV1(hierarchies: { controllers: string[]; mountPoint: string }[]): CgroupAbilities {
  const rootOf = (controller: string) =>
    hierarchies.find(({ controllers }) => controllers.includes(controller))?.mountPoint ?? null;
  const has = (controller: string, ...files: string[]) => {
    const root = rootOf(controller);
    return root !== null && files.some((file) => isThere(root, file));
  };
  return {
    version: 1,
    memory: has('memory', 'memory.limit_in_bytes'),
    swap: has('memory', 'memory.memsw.limit_in_bytes'),
    swappiness: has('memory', 'memory.swappiness'),
    oomKillDisable: has('memory', 'memory.oom_control'),
    cpu: has('cpu', 'cpu.cfs_quota_us', 'cpu.shares'),
    cpuset: rootOf('cpuset') !== null,
    pids: rootOf('pids') !== null,
    ioWeight: has('blkio', 'blkio.weight', 'blkio.bfq.weight'),
    ioThrottle: has('blkio', 'blkio.throttle.read_bps_device'),
  };
}

function abilitiesOfV2(tree: string): CgroupAbilities {
  const controllers = (readValue(tree, 'cgroup.controllers') ?? '').split(/\s+/);
  return {
    version: 2,
    memory: controllers.includes('memory'),
    // The root of the tree has no such file; before Linux 6.1 swapaccount=0 takes it from all others.
    swap: controllers.includes('memory') && isThereOrBelow(tree, 'memory.swap.max', 'memory.max'),
    swappiness: false,
    oomKillDisable: false,
    cpu: controllers.includes('cpu'),
    cpuset: controllers.includes('cpuset'),
    pids: controllers.includes('pids'),
    ioWeight: controllers.includes('io') && (isThere(tree, 'io.cost.qos') || isThereOrBelow(tree, 'io.bfq.weight')),
    ioThrottle: controllers.includes('io'),
  };
}

/** The one that has `witness` decides, since the controller may be switched off below. Without any, it is assumed to be. */
function isThereOrBelow(tree: string, file: string, witness?: string): boolean {
  const children = readdirSync(tree, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const places = [tree, ...children.map(({ name }) => join(tree, name))];
  if (witness === undefined) return places.some((place) => isThere(place, file));
  const decisive = places.find((place) => isThere(place, witness));
  return decisive === undefined || isThere(decisive, file);
}

const isThere = (directory: string, file: string) => readdirSync(directory).includes(file);
