/**
 * State roots for engines with the learner's planks. A daemon and its shim hold the code they were started with, so a
 * plank that has changed gets a new root, and with it a new daemon; roots that are not in use any more are removed.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

/**
 * @param bundle the folder of the engine's bundles; null for the engine's own ship.
 * @param root what was asked for with --root.
 */
export function stateRoot(bundle: string | null, root?: string): string {
  const base = (root || process.env.SKIFF_ROOT || usualRoot()).replace(/\/+$/, '');
  if (bundle === null) return base;
  const hash = createHash('sha256');
  for (const part of ['daemon.cjs', 'shim.cjs']) {
    const file = path.join(bundle, part);
    if (fs.existsSync(file)) hash.update(fs.readFileSync(file));
  }
  // Short, because sockets lie below it and their paths end at 107 bytes.
  return `${base}-mine-${hash.digest('hex').slice(0, 8)}`;
}

function usualRoot(): string {
  if (process.getuid?.() === 0) return '/var/lib/skiff';
  return path.join(process.env.XDG_DATA_HOME || path.join(os.homedir(), '.local', 'share'), 'skiff');
}

/**
 * Remove the roots of earlier planks that have no daemon, no container and no registry left.
 * @returns those that still have a container.
 */
export async function removeOldRoots(root: string): Promise<string[]> {
  const [, prefix] = /^(.*-mine-)[0-9a-f]{8}$/.exec(root) ?? [];
  if (prefix === undefined) return [];
  const folder = path.dirname(root);
  const old = names(folder)
    .map((name) => path.join(folder, name))
    .filter((other) => other !== root && other.startsWith(prefix) && /^[0-9a-f]{8}$/.test(other.slice(prefix.length)));
  const inUse: string[] = [];
  for (const other of old) {
    if (names(path.join(other, 'containers')).length > 0) inUse.push(other);
    // What was pushed to `skiff --mine registry serve` is the learner's, and may be served right now.
    else if (names(path.join(other, 'registry')).length > 0) continue;
    else if (!(await listens(path.join(other, 'run', 'skiff.sock'))))
      fs.rmSync(other, { recursive: true, force: true });
  }
  return inUse;
}

function names(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.once('connect', () => resolve(true)).once('error', () => resolve(false));
    connection.once('connect', () => connection.destroy());
  });
}
