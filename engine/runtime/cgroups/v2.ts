/** Control groups with one tree for all controllers. Kernel documentation, admin-guide/cgroup-v2. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { close, O_DIRECTORY, O_RDONLY, open } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { bornIn } from '#kernel/fork';
import { inUserNamespace } from '#kernel/user-namespace';
import type { Resources } from '../spec.ts';
import { step } from '../step.ts';
import { filterDevices } from './device-filter.ts';
import { deviceRules } from './device-rules.ts';
import type { Cgroup, CgroupDriver, CgroupRequest, CgroupStats, Entrance } from './driver.ts';
import { makeDirectories, pidsIn, readKey, readValue, removeDirectory, removeTree, tree, writeValue } from './files.ts';
import { killFrozen } from './kill-frozen.ts';
import { setLimits } from './v2-limits.ts';
import { usageOf } from './v2-usage.ts';

/** @param mountPoint where cgroup2 is mounted. */
export function v2Driver(mountPoint: string): CgroupDriver {
  return {
    version: 2,
    create: (request) => create(mountPoint, request),
    find(path) {
      const directory = join(mountPoint, path);
      return tree(directory).length === 0 ? null : cgroup(mountPoint, directory);
    },
    removeEmpty: (path) => removeDirectory(join(mountPoint, path)),
  };
}

function create(mountPoint: string, { path, resources, devices }: CgroupRequest): Cgroup {
  const directory = join(mountPoint, path);
  const group = cgroup(mountPoint, directory);
  try {
    step('cgroup', () => makeDirectories(mountPoint, path));
    enableControllers(mountPoint, directory, controllersFor(resources));
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

function controllersFor({ memory, cpu, pids, blockIO }: Resources): Wanted {
  const has = (values: object | undefined) => Object.values(values ?? {}).some((value) => value !== undefined);
  const needed = [
    ...(has(memory) ? ['memory'] : []),
    ...(cpu?.shares !== undefined || cpu?.quota !== undefined || cpu?.period !== undefined ? ['cpu'] : []),
    ...(cpu?.cpus || cpu?.mems ? ['cpuset'] : []),
    ...(pids ? ['pids'] : []),
    ...(blockIO ? ['io'] : []),
  ];
  return { needed, wished: ['memory', 'cpu', 'pids', 'io'].filter((name) => !needed.includes(name)) };
}

/** A controller works in a cgroup once each cgroup above it hands it down, from the top. "Controlling Controllers". */
function enableControllers(mountPoint: string, directory: string, { needed, wished }: Wanted): void {
  for (const parent of parentsFromTop(mountPoint, directory)) {
    const there = words(readValue(parent, 'cgroup.controllers'));
    const handedDown = words(readValue(parent, 'cgroup.subtree_control'));
    for (const name of [...needed, ...wished]) {
      if (handedDown.includes(name)) continue;
      const isNeeded = needed.includes(name);
      if (!there.includes(name)) {
        if (isNeeded) throw new Error(notDelegated(name, parent));
        continue;
      }
      try {
        writeValue(parent, 'cgroup.subtree_control', `+${name}`);
      } catch (error) {
        if (isNeeded) throw Object.assign(error as Error, { message: cannotDelegate(name, parent, error as Error) });
      }
    }
  }
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

function cgroup(mountPoint: string, directory: string): Cgroup {
  return {
    openEntrance: () => openEntrance(directory),
    processes: () => pidsIn(directory),
    killAll: () => killAll(directory),
    outOfMemoryKills: () => readKey(directory, 'memory.events', 'oom_kill'),
    stats: () => stats(directory),
    usage: () => usageOf(directory),
    update(resources) {
      enableControllers(mountPoint, directory, { needed: controllersFor(resources).needed, wished: [] });
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
      if (!born) step(`join cgroup ${directory}`, () => writeValue(directory, 'cgroup.procs', 0));
    },
    close: () => close(place),
  };
}

/** What clone3 answers to a flag or a field it does not know. */
const notKnown = new Set(['EINVAL', 'E2BIG']);

/** cgroup.kill is there since Linux 5.14. */
function killAll(directory: string): void {
  if (pidsIn(directory).length === 0) return;
  if (existsSync(join(directory, 'cgroup.kill'))) writeValue(directory, 'cgroup.kill', 1);
  else killFrozen(directory);
}

function stats(directory: string): CgroupStats {
  const limit = readValue(directory, 'memory.max') ?? 'max';
  return {
    memoryUsage: Number(readValue(directory, 'memory.current') ?? 0),
    memoryLimit: limit === 'max' ? Number.POSITIVE_INFINITY : Number(limit),
    cpuUsage: readKey(directory, 'cpu.stat', 'usage_usec') * 1000,
    processes: Number(readValue(directory, 'pids.current') ?? 0),
  };
}
