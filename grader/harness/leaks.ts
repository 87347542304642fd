/**
 * The proof that a submission left nothing behind. Only what is ours is looked at, known by the ids and the names that
 * a session gives: other people's processes come and go meanwhile. Network links and rules need no look: a sandbox has
 * a network namespace with nothing in it, owned by a user namespace that owns nothing else.
 */

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountedHierarchies } from '../../engine/runtime/cgroups/detect.ts';
import { endGroups } from './end-groups.ts';
import { stopwatch } from './own-time.ts';
import type { SandboxRecord } from './sandbox.ts';
import { cgroupsPathOf, type Session } from './session.ts';
import { SLOTS } from './session-paths.ts';
import { sandboxIds } from './user-ids.ts';

/** What was killed a moment ago may still be on its way out, for long on a busy machine. Milliseconds. */
const PATIENCE = 20_000;
/** From then on it gets help. */
const UNTIL_CLEANING = 1_000;

/**
 * Look what is left, and remove it.
 * @param spares sandboxes that may be there. @returns a sentence for each thing that is left and could not be removed.
 */
export async function leaks(session: Session, spares: SandboxRecord[]): Promise<string[]> {
  for (const elapsed = stopwatch(); ; ) {
    const left = { pids: processes(session, spares), groups: cgroups(session, spares), mounts: mounts(session) };
    const found = [
      ...left.pids.map((pid) => `process ${pid} still runs`),
      ...left.groups.map((group) => `the cgroup ${group} is still there`),
      ...left.mounts.map((mount) => `${mount} is mounted on the machine itself`),
    ];
    if (found.length === 0 || elapsed() > PATIENCE) return found;
    if (elapsed() > UNTIL_CLEANING) await clean(session, left);
    await sleep(20);
  }
}

async function clean(session: Session, { pids, groups }: { pids: string[]; groups: string[] }): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has just ended.
    }
  }
  const names = new Set(groups.map((group) => path.basename(group)));
  for (const name of names) await endGroups(`${cgroupsPathOf(session.address.directory)}/${name}`);
}

/** Pids. */
function processes(session: Session, spares: SandboxRecord[]): string[] {
  const { first } = sandboxIds(session.address.shimPid, 0);
  // The ids of an ordinary user are not the session's alone.
  if (first === sandboxIds(session.address.shimPid, 1).first) return [];
  return fs.readdirSync('/proc').flatMap((pid) => {
    const uid = /^\d+$/.test(pid) ? uidOf(pid) : null;
    if (uid === null || uid < first || uid >= first + SLOTS * 65536) return [];
    const slot = Math.floor((uid - first) / 65536);
    return spares.some((spare) => spare.slot === slot) ? [] : [pid];
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
      .map(({ name }) => path.join(ours, name));
  });
}

/** Mounts of a session exist in its own mount namespace only. */
function mounts(session: Session): string[] {
  const lines = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => line.includes(session.address.directory)).map((line) => line.split(' ')[4]!);
}
