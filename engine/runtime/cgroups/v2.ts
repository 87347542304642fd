/** Control groups with one tree for all controllers. Kernel documentation, admin-guide/cgroup-v2. */

import { dirname, join } from 'node:path';
import { enter, killAll, makeGroup, openDoors, usageOf } from '#cgroups';
import type { Usage } from '#contract/cgroups';
import { close, O_DIRECTORY, O_RDONLY, open } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { bornIn } from '#kernel/fork';
import { inUserNamespace } from '#kernel/user-namespace';
import type { Resources } from '../spec.ts';
import { step } from '../step.ts';
import { filterDevices } from './device-filter.ts';
import { deviceRules } from './device-rules.ts';
import type { Cgroup, CgroupDriver, CgroupRequest, CgroupStats, Entrance } from './driver.ts';
import { pidsIn, readKey, readValue, removeDirectory, removeTree, tree } from './files.ts';
import { watchMemoryV2 } from './memory-events.ts';
import { checkUsage, controllersOf } from './more-limits.ts';
import { ioOf } from './v2-io.ts';
import { setLimits } from './v2-limits.ts';

/** @param mountPoint where cgroup2 is mounted. */
export function v2Driver(mountPoint: string): CgroupDriver {
  return {
    version: 2,
    create: (request) => create(mountPoint, request),
    find(path) {
      return tree(join(mountPoint, path)).length === 0 ? null : cgroup(mountPoint, path);
    },
    removeEmpty: (path) => removeDirectory(join(mountPoint, path)),
  };
}

function create(mountPoint: string, { path, resources, devices }: CgroupRequest): Cgroup {
  const directory = join(mountPoint, path);
  const group = cgroup(mountPoint, path);
  try {
    step('cgroup', () => makeWith(mountPoint, path, controllersFor(resources)));
    setLimits(directory, resources);
    // In a user namespace no filter can be attached, and none is needed: no node can be made there, and those that
    // exist have their owners and modes.
    if (!inUserNamespace())
      step('device filter', () => filterDevices(directory, deviceRules(resources.devices, devices)));
    return group;
  } catch (error) {
    group.remove();
    throw error;
  }
}

interface Wanted {
  /** Without these a limit that was asked for would not hold. */
  needed: string[];
  /** These only count. */
  wished: string[];
}

function controllersFor(resources: Resources): Wanted {
  const { memory, cpu, pids, blockIO } = resources;
  const has = (values: object | undefined) => Object.values(values ?? {}).some((value) => value !== undefined);
  const needed = new Set([
    ...(has(memory) ? ['memory'] : []),
    ...(cpu?.shares !== undefined || cpu?.quota !== undefined || cpu?.period !== undefined ? ['cpu'] : []),
    ...(cpu?.cpus || cpu?.mems ? ['cpuset'] : []),
    ...(pids ? ['pids'] : []),
    ...(blockIO ? ['io'] : []),
    // Files of the tree itself are there without.
    ...controllersOf(2, resources).filter((name) => name !== 'cgroup'),
  ]);
  return { needed: [...needed], wished: ['memory', 'cpu', 'pids', 'io'].filter((name) => !needed.has(name)) };
}

/** Make the cgroup where it is missing, with its controllers. */
function makeWith(mountPoint: string, path: string, { needed, wished }: Wanted): void {
  const directory = join(mountPoint, path);
  try {
    makeGroup(2, mountPoint, path, needed);
  } catch (error) {
    throw explained(error as Error, parentsFromTop(mountPoint, directory), needed);
  }
  const there = words(readValue(directory, 'cgroup.controllers'));
  for (const name of wished.filter((each) => !there.includes(each)))
    try {
      makeGroup(2, mountPoint, path, [name]);
    } catch {
      // Then it does not count.
    }
}

/** Why a controller does not reach a cgroup, and the way out. */
function explained(error: Error, parents: string[], needed: string[]): Error {
  for (const parent of parents)
    for (const name of needed) {
      if (!words(readValue(parent, 'cgroup.controllers')).includes(name)) return new Error(notDelegated(name, parent));
      if (!words(readValue(parent, 'cgroup.subtree_control')).includes(name))
        return Object.assign(error, { message: cannotDelegate(name, parent, error) });
    }
  return error;
}

function parentsFromTop(mountPoint: string, directory: string): string[] {
  const parents: string[] = [];
  for (let each = dirname(directory); each.length >= mountPoint.length; each = dirname(each)) parents.unshift(each);
  return parents;
}

const words = (text: string | null) => (text ?? '').split(/\s+/).filter(Boolean);

function notDelegated(controller: string, directory: string): string {
  return (
    `The cgroup controller "${controller}" has not been delegated to ${directory}, so the limit would not hold. ` +
    'Delegate it (with systemd: Delegate=yes for the service or scope the engine runs in), or start without the limit.'
  );
}

function cannotDelegate(controller: string, directory: string, error: Error): string {
  return (
    `The cgroup controller "${controller}" cannot be handed down in ${directory}: ${error.message} EBUSY means that ` +
    'processes sit in that cgroup itself: move them into a cgroup below it first ("no internal process constraint").'
  );
}

function cgroup(mountPoint: string, path: string): Cgroup {
  const directory = join(mountPoint, path);
  return {
    openEntrance: () => openEntrance(directory),
    processes: () => pidsIn(directory),
    killAll: () => killAll(2, [directory], directory),
    outOfMemoryKills: () => readKey(directory, 'memory.events', 'oom_kill'),
    watchMemory: (listener) => watchMemoryV2(directory, listener),
    stats: () => stats(directory),
    usage: () => ({ version: 2, ...usage(directory), io: ioOf(directory) }),
    update(resources) {
      if (resources.devices)
        throw new Error('Control groups v2 keep the device rules a container was started with; leave devices out.');
      checkUsage(resources, stats(directory).memoryUsage);
      makeWith(mountPoint, path, { needed: controllersFor(resources).needed, wished: [] });
      setLimits(directory, resources);
    },
    remove: () => removeTree(directory),
  };
}

/** The child is born in the cgroup; on a kernel that cannot do that (before Linux 5.7) it moves in. */
function openEntrance(directory: string): Entrance {
  const place = open(directory, O_RDONLY | O_DIRECTORY);
  let born = true;
  return {
    aroundFork(fork) {
      try {
        return bornIn(place, fork);
      } catch (error) {
        if (!(error instanceof KernelError && error.syscall === 'clone3' && notKnown.has(error.code))) throw error;
        born = false;
        return fork();
      }
    },
    join() {
      if (!born) step(`join cgroup ${directory}`, () => moveIn(directory));
    },
    close: () => close(place),
  };
}

/** What clone3 answers to a flag or a field it does not know. */
const notKnown = new Set(['EINVAL', 'E2BIG']);

function moveIn(directory: string): void {
  const doors = openDoors(2, [directory]);
  try {
    enter(doors);
  } finally {
    doors.forEach(close);
  }
}

function usage(directory: string): Usage {
  return usageOf(2, { memory: directory, cpu: directory, pids: directory });
}

function stats(directory: string): CgroupStats {
  const { cpu, memory, processes } = usage(directory);
  return {
    memoryUsage: memory.usage,
    memoryLimit: memory.limit,
    cpuUsage: cpu.total,
    processes: processes.current,
  };
}
