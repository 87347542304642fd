/** Control groups with one hierarchy for each controller. Kernel documentation, admin-guide/cgroup-v1. */

import { join } from 'node:path';
import { enter, killAll, makeGroup, openDoors, usageOf } from '#cgroups';
import { close } from '#kernel/descriptors';
import type { DeviceRule, Resources } from '../spec.ts';
import { step } from '../step.ts';
import type { Hierarchy } from './detect.ts';
import { refuseUnfiltered } from './device-filter.ts';
import { deviceRules, formatRule } from './device-rules.ts';
import type { Cgroup, CgroupDriver, CgroupRequest, CgroupStats, CgroupUsage, Entrance } from './driver.ts';
import { pidsIn, readKey, readValue, removeDirectory, removeTree, tree, writeValue, writeValues } from './files.ts';
import { watchMemoryV1 } from './memory-events.ts';
import { checkUsage } from './more-limits.ts';
import { ioOf } from './v1-io.ts';
import { controllersOnDemand, type Directories, setLimits } from './v1-limits.ts';

/** A program that forks faster than its processes are moved is left to its parents' cgroup. */
const MOST_LOOKS = 100;
/** `cpuset` too, since a JVM believes in no limit where one of memory, cpu, cpuacct and cpuset is missing in its view. */
const ALWAYS = ['memory', 'cpu', 'cpuacct', 'cpuset', 'pids', 'freezer', 'devices'];
/** The directory of a controller that the host does not have. */
const NOWHERE = '/nowhere';

/** @param hierarchies all that are mounted. Each move and each removal costs time, so only those are joined that do something. */
export function v1Driver(hierarchies: Hierarchy[]): CgroupDriver {
  return {
    version: 1,
    create: (request) => create(hierarchies, request),
    find(path) {
      const there = hierarchies.filter(({ mountPoint }) => tree(join(mountPoint, path)).length > 0);
      return there.length === 0 ? null : cgroup(hierarchies, path, directories(there, path));
    },
    removeEmpty: (path) => hierarchies.map(({ mountPoint }) => removeDirectory(join(mountPoint, path))).every(Boolean),
  };
}

function directories(hierarchies: Hierarchy[], path: string): Directories {
  return new Map(
    hierarchies.flatMap(({ controllers, mountPoint }) => controllers.map((name) => [name, join(mountPoint, path)])),
  );
}

function create(hierarchies: Hierarchy[], { path, resources, devices }: CgroupRequest): Cgroup {
  const wanted = new Set([...ALWAYS, ...controllersOnDemand(resources)]);
  const used = hierarchies.filter(({ controllers }) => controllers.some((name) => wanted.has(name)));
  const made = directories(used, path);
  const group = cgroup(hierarchies, path, made);
  try {
    for (const hierarchy of used) makeIn(hierarchy, path);
    setLimits(made, resources);
    setDevices(made, deviceRules(resources.devices, devices));
    return group;
  } catch (error) {
    group.remove();
    throw error;
  }
}

function makeIn({ controllers, mountPoint }: Hierarchy, path: string): void {
  step(`cgroup ${controllers.join(',')}`, () => makeGroup(1, mountPoint, path, controllers));
  if (controllers.includes('cpuset')) for (const directory of ways(mountPoint, path)) inheritCpuset(directory);
}

/** Set limits while processes run. They move into a hierarchy that they were in no cgroup of, each with all its threads. */
function update(hierarchies: Hierarchy[], path: string, made: Directories, resources: Resources): void {
  for (const name of controllersOnDemand(resources)) {
    const hierarchy = hierarchies.find(({ controllers }) => controllers.includes(name));
    if (made.has(name) || hierarchy === undefined) continue;
    makeIn(hierarchy, path);
    for (const [controller, directory] of directories([hierarchy], path)) made.set(controller, directory);
  }
  setLimits(made, resources);
  for (const name of controllersOnDemand(resources)) moveIn([...new Set(made.values())], made.get(name)!);
}

/** What a process forks meanwhile is found in the next look. */
function moveIn(from: string[], directory: string): void {
  const outside = () => {
    const inside = new Set(pidsIn(directory));
    return [...new Set(from.flatMap(pidsIn))].filter((pid) => !inside.has(pid));
  };
  for (let left = outside(), looks = 0; left.length > 0 && looks < MOST_LOOKS; left = outside(), looks++)
    for (const pid of left)
      try {
        writeValue(directory, 'cgroup.procs', pid);
      } catch (error) {
        // It has ended meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
}

/** The directories from below the mount point down to `path`. */
function ways(mountPoint: string, path: string): string[] {
  const names = path.split('/').filter(Boolean);
  return names.map((_, index) => join(mountPoint, ...names.slice(0, index + 1)));
}

/** A new cpuset is empty, and nothing can be moved into an empty one. */
function inheritCpuset(directory: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readValue(directory, file) === '') writeValue(directory, file, readValue(join(directory, '..'), file) ?? '');
  }
}

function setDevices(made: Directories, rules: DeviceRule[]): void {
  const directory = made.get('devices');
  if (directory === undefined) refuseUnfiltered(rules);
  else
    for (const run of runsOf(rules))
      writeValues(directory, run[0]!.allow ? 'devices.allow' : 'devices.deny', run.map(formatRule));
}

/** The rules in their order, cut where allowing turns into denying or back: each piece is for one file. */
function runsOf(rules: DeviceRule[]): DeviceRule[][] {
  const runs: DeviceRule[][] = [];
  for (const rule of rules) {
    const last = runs.at(-1);
    if (last?.[0]?.allow === rule.allow) last.push(rule);
    else runs.push([rule]);
  }
  return runs;
}

/** @param made grows when an update needs one more hierarchy. */
function cgroup(hierarchies: Hierarchy[], path: string, made: Directories): Cgroup {
  const distinct = () => [...new Set(made.values())];
  return {
    openEntrance: () => openEntrance(distinct()),
    processes: () => [...new Set(distinct().flatMap(pidsIn))],
    killAll: () => killAll(1, distinct(), made.get('freezer') ?? NOWHERE),
    outOfMemoryKills: () => readKey(made.get('memory') ?? '', 'memory.oom_control', 'oom_kill'),
    watchMemory: (listener) => watchMemoryV1(made.get('memory') ?? NOWHERE, listener),
    stats: () => stats(made),
    usage: () => usage(made),
    update(resources) {
      checkUsage(resources, stats(made).memoryUsage);
      update(hierarchies, path, made, resources);
      if (resources.devices) setDevices(made, deviceRules(resources.devices, []));
    },
    remove: () => distinct().map(removeTree).every(Boolean),
  };
}

function openEntrance(distinct: string[]): Entrance {
  const doors = openDoors(1, distinct);
  return {
    aroundFork: (fork) => fork(),
    join: () => step(`join cgroup ${distinct.join(', ')}`, () => enter(doors)),
    close: () => doors.forEach(close),
  };
}

function usage(made: Directories): CgroupUsage {
  const blkio = made.get('blkio');
  return { version: 1, ...usageOf(1, Object.fromEntries(made)), io: blkio === undefined ? null : ioOf(blkio) };
}

function stats(made: Directories): CgroupStats {
  const { cpu, memory, processes } = usageOf(1, Object.fromEntries(made));
  return {
    memoryUsage: memory.usage,
    memoryLimit: memory.limit,
    cpuUsage: made.has('cpuacct') ? cpu.total : null,
    processes: processes.current,
  };
}
