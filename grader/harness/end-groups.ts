/**
 * End everything in a control group that a submission may have worked in, and remove it. Names are bytes, trees may be
 * deeper than a path can be long, and what a frozen group holds does not die before it is thawed, from the top.
 * Kernel documentation, admin-guide/cgroup-v1/freezer-subsystem, admin-guide/cgroup-v2, "cgroup.freeze".
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountedHierarchies } from '../../engine/runtime/cgroups/detect.ts';
import { existsSync } from './files.ts';
import { eachBottomUp } from './remove-tree.ts';

const PATIENCE_MILLISECONDS = 10_000;

/** The root of each hierarchy that is mounted. */
export function cgroupRoots(): string[] {
  const { v1, v2 } = mountedHierarchies();
  return [...new Set([...v1, ...(v2 === null ? [] : [v2])].map(({ mountPoint }) => mountPoint))];
}

/** Thaw and kill all processes in the group `cgroupsPath` and below it, in every hierarchy. Nothing is removed. */
export function killGroups(cgroupsPath: string): void {
  for (const root of cgroupRoots())
    attempt(() => eachBottomUp(path.join(root, cgroupsPath), { before: thawAndKill, directory: () => {} }));
}

/** Kill all processes in the group and below it, and remove all of it. @returns whether it is gone. */
export async function endGroups(cgroupsPath: string): Promise<boolean> {
  const places = cgroupRoots().map((root) => path.join(root, cgroupsPath));
  for (const deadline = Date.now() + PATIENCE_MILLISECONDS; ; ) {
    if (removeOnce(places)) return true;
    if (Date.now() > deadline) return false;
    // A process that was killed leaves its group a moment later.
    await sleep(10);
  }
}

/** The same for a process that is about to end, which cannot wait otherwise. */
export function endGroupsNow(cgroupsPath: string): boolean {
  const places = cgroupRoots().map((root) => path.join(root, cgroupsPath));
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (const deadline = Date.now() + PATIENCE_MILLISECONDS; ; ) {
    if (removeOnce(places)) return true;
    if (Date.now() > deadline) return false;
    Atomics.wait(pause, 0, 0, 10);
  }
}

function removeOnce(places: string[]): boolean {
  for (const place of places.filter(existsSync)) {
    attempt(() => eachBottomUp(place, { before: thawAndKill, directory: (at) => fs.rmdirSync(at) }));
    attempt(() => fs.rmdirSync(place));
  }
  return !places.some(existsSync);
}

function thawAndKill(at: Buffer): void {
  const file = (name: string) => Buffer.concat([at, Buffer.from(`/${name}`)]);
  // The files of the other version are not there.
  attempt(() => fs.writeFileSync(file('freezer.state'), 'THAWED', { flag: 'r+' }));
  attempt(() => fs.writeFileSync(file('cgroup.freeze'), '0', { flag: 'r+' }));
  attempt(() => {
    for (const pid of fs.readFileSync(file('cgroup.procs'), 'latin1').split('\n').map(Number))
      if (pid > 0) attempt(() => process.kill(pid, 'SIGKILL'));
  });
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // What is left is seen by the next look.
  }
}
