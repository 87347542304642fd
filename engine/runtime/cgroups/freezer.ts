/** Stop everything in a cgroup where it stands, and let it go on. Kernel documentation, cgroup-v1/freezer-subsystem, cgroup-v2 "cgroup.freeze". */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freeze } from '#cgroups';
import { mountedHierarchies } from './detect.ts';
import { readKey, readValue } from './files.ts';

/** v1 stays at FREEZING while a process is in a call that cannot be interrupted; asked again it goes on trying. */
const MOST_LOOKS = 1000;

/** Below the root of the hierarchies. @throws Error where the host has no freezer, or the processes do not stop. */
export function setFrozen(cgroupsPath: string, frozen: boolean): void {
  const { directory, version } = freezerOf(cgroupsPath);
  for (let look = 0; look < MOST_LOOKS; look++) if (freeze(version, directory, frozen)) return;
  if (frozen) setFrozen(cgroupsPath, false);
  throw new Error(`The processes in the cgroup ${cgroupsPath} do not stop; try again.`);
}

/** Whether every process in it stands still. False where there is no such cgroup. */
export function isFrozen(cgroupsPath: string): boolean {
  try {
    const { directory, version } = freezerOf(cgroupsPath);
    return isFrozenAt(directory, version);
  } catch {
    return false;
  }
}

function isFrozenAt(directory: string, version: 1 | 2): boolean {
  return version === 1
    ? readValue(directory, 'freezer.state') === 'FROZEN'
    : readKey(directory, 'cgroup.events', 'frozen') === 1;
}

function freezerOf(cgroupsPath: string): { directory: string; version: 1 | 2 } {
  const { v1, v2 } = mountedHierarchies();
  const freezer = v1.find(({ controllers }) => controllers.includes('freezer'));
  const directory = join((freezer ?? v2)?.mountPoint ?? '/nowhere', cgroupsPath);
  if (!existsSync(join(directory, freezer ? 'freezer.state' : 'cgroup.freeze')))
    throw new Error(`There is no cgroup ${cgroupsPath} that can be frozen on this host.`);
  return { directory, version: freezer ? 1 : 2 };
}
