import fs from 'node:fs';
import path from 'node:path';

/** The daemon of a root: it leaves its number in the file that it keeps locked. Undefined when none runs. */
export function daemonOf(root: string): number | undefined {
  let pid: number;
  try {
    pid = Number(fs.readFileSync(path.join(root, 'lock'), 'utf8'));
  } catch {
    return undefined;
  }
  return pid > 0 && isRunning(pid) ? pid : undefined;
}

/** End the daemon of a root; resolves when it has gone. */
export async function endDaemon(root: string, signal: NodeJS.Signals): Promise<void> {
  const pid = daemonOf(root);
  if (pid === undefined) return;
  process.kill(pid, signal);
  // No event tells of the end of a process that is not one's child.
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** A zombie, whose parent has not looked yet, does not run. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
