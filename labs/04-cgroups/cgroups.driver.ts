/** How the engine uses the plank `cgroups`: make the group, set its limits, and let the program begin inside of it. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as yours from '#cgroups';
import type { CgroupsPlank, CgroupVersion, GroupDirectories, Limits } from '#contract/cgroups';
import { close, O_RDWR, open, readAll } from '#kernel/descriptors';
import { spawn } from '#process';
import * as engine from '../../engine/runtime/cgroups.ts';

let judged: (keyof CgroupsPlank)[] = [];

/** Which of the functions are yours in what follows; the others are the engine's. */
export function judging(names: (keyof CgroupsPlank)[]): void {
  judged = names;
}

function plank<Name extends keyof CgroupsPlank>(name: Name): CgroupsPlank[Name] {
  return (judged.includes(name) ? yours : (engine as CgroupsPlank))[name];
}

/** One of the trees that the judge gave away. */
export interface Tree {
  controllers: string[];
  /** Where the tree begins for the subject. */
  mountPoint: string;
}

/** Make the group `path` in each tree. @returns controller → directory. */
export function makeGroups(version: CgroupVersion, trees: Tree[], path: string): GroupDirectories {
  const directories: GroupDirectories = {};
  for (const { controllers, mountPoint } of trees) {
    const directory = plank('makeGroup')(version, mountPoint, path, controllers);
    for (const controller of controllers) directories[controller] = directory;
    if (version === 2) directories.freezer = directory;
  }
  return directories;
}

/** Write what the plank says. A kernel that does not count swap has no file for it. */
export function limit(version: CgroupVersion, directories: GroupDirectories, limits: Limits): void {
  for (const { controller, file, value } of plank('settingsFor')(version, limits)) {
    try {
      writeFileSync(join(directories[controller] ?? '/nowhere', file), value, { flag: 'r+' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && /swap|memsw/.test(file)) continue;
      throw new Error(`The kernel refuses "${value}" in ${file}: ${(error as Error).message}`);
    }
  }
}

const distinct = (directories: GroupDirectories) => [...new Set(Object.values(directories))];

/** @returns the pid of the program, as the subject sees it. */
export function startIn(
  version: CgroupVersion,
  directories: GroupDirectories,
  { args, env }: { args: string[]; env: string[] },
): number {
  const [openDoors, enter] = [plank('openDoors'), plank('enter')];
  const doors = openDoors(version, distinct(directories));
  const devNull = open('/dev/null', O_RDWR);
  const child = spawn(
    { args, env, cwd: '/', stdio: [devNull, devNull, devNull] },
    { cloneFlags: 0n, prepare: () => enter(doors) },
  );
  for (const fd of [...doors, devNull]) close(fd);
  const failure = readAll(child.report);
  close(child.report);
  if (failure !== '') throw new Error((JSON.parse(failure) as { message: string }).message);
  return child.pid;
}

/** Open and enter, wherever the doors are. */
export function passThrough(version: CgroupVersion, directories: string[]): void {
  const doors = yours.openDoors(version, directories);
  yours.enter(doors);
  for (const door of doors) close(door);
}

export function killGroup(version: CgroupVersion, directories: GroupDirectories): void {
  yours.killAll(version, distinct(directories), directories.freezer ?? '/nowhere');
}
