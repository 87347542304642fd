import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CliError } from './errors.ts';

const PATIENCE_MILLISECONDS = 15_000;
/** The kernel tells only its parent that a process has ended, so everyone else has to look. */
const LOOK_MILLISECONDS = 20;

/**
 * End the daemon that holds the root's lock, and wait until it has ended. Containers go on running under their shim;
 * without one that runs, the shim ends too.
 * @returns its pid; null when there is none.
 * @throws CliError when it does not end in time.
 */
export async function stopDaemon(root: string): Promise<number | null> {
  const pid = daemonOf(root);
  if (pid === null) return null;
  process.kill(pid, 'SIGTERM');
  for (const deadline = Date.now() + PATIENCE_MILLISECONDS; !hasEnded(pid); await delay(LOOK_MILLISECONDS)) {
    if (Date.now() > deadline)
      throw new CliError(`The daemon (process ${pid}) does not end. To end it at once: kill -9 ${pid}`, 125);
  }
  return pid;
}

/** A lock file outlives its daemon, and a pid may be used again: it counts only while it is a daemon of this root. */
function daemonOf(root: string): number | null {
  try {
    const pid = Number(fs.readFileSync(path.join(root, 'lock'), 'utf8'));
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes(root) && words.some((word) => path.basename(word) === 'daemon.cjs') ? pid : null;
  } catch {
    return null;
  }
}

/** Gone, or a zombie that its parent has not asked about yet. */
function hasEnded(pid: number): boolean {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    return 'ZX'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}
