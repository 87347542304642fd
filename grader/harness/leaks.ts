/**
 * The proof that a submission left nothing behind. Only what is ours is looked at, known by the ids and the names that
 * a session gives: other people's processes come and go meanwhile. Network links and rules need no look: a sandbox has
 * a network namespace with nothing in it, owned by a user namespace that owns nothing else.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountedHierarchies } from '../../engine/runtime/cgroups/detect.ts';
import type { SandboxRecord } from './sandbox.ts';
import { cgroupsPathOf, type Session } from './session.ts';
import { SLOTS } from './session-paths.ts';
import { sandboxIds } from './user-ids.ts';

/** What was killed a moment ago may still be on its way out. Milliseconds. */
const PATIENCE = 2_000;

/** @param spares sandboxes that may be there. @returns a sentence for each thing that is left and should not be. */
export async function leaks(session: Session, spares: SandboxRecord[]): Promise<string[]> {
  for (const deadline = Date.now() + PATIENCE; ; ) {
    const found = [...processes(session, spares), ...cgroups(session, spares), ...mounts(session)];
    if (found.length === 0 || Date.now() > deadline) return found;
    await sleep(20);
  }
}

function processes(session: Session, spares: SandboxRecord[]): string[] {
  const { first } = sandboxIds(session.address.shimPid, 0);
  // The ids of an ordinary user are not the session's alone.
  if (first === sandboxIds(session.address.shimPid, 1).first) return [];
  return fs.readdirSync('/proc').flatMap((pid) => {
    const uid = /^\d+$/.test(pid) ? uidOf(pid) : null;
    if (uid === null || uid < first || uid >= first + SLOTS * 65536) return [];
    const slot = Math.floor((uid - first) / 65536);
    return spares.some((spare) => spare.slot === slot) ? [] : [`process ${pid} of sandbox ${slot} still runs`];
  });
}

function uidOf(pid: string): number | null {
  try {
    return fs.statSync(`/proc/${pid}`).uid;
  } catch {
    return null;
  }
}

function cgroups(session: Session, spares: SandboxRecord[]): string[] {
  const { v1, v2 } = mountedHierarchies();
  const roots = new Set(v1.map(({ mountPoint }) => mountPoint));
  if (v2) roots.add(v2.mountPoint);
  return [...roots].flatMap((root) => {
    const ours = path.join(root, cgroupsPathOf(session.address.directory));
    if (!fs.existsSync(ours)) return [];
    const names = fs.readdirSync(ours, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return names
      .filter(({ name }) => !spares.some(({ container }) => container === name))
      .map(({ name }) => `the cgroup ${path.join(ours, name)} is still there`);
  });
}

/** Mounts of a session exist in its own mount namespace only. */
function mounts(session: Session): string[] {
  const lines = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines
    .filter((line) => line.includes(session.address.directory))
    .map((line) => `${line.split(' ')[4]} is mounted on the machine itself`);
}
