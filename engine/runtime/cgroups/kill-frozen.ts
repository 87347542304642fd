import { killUnlessGone, pidsIn, writeValue } from './files.ts';

/**
 * SIGKILL to everything in a cgroup v2 and below it, for kernels without cgroup.kill, before Linux 5.14. Frozen
 * processes cannot fork away from the signal, and die of it frozen. Kernel documentation, admin-guide/cgroup-v2.
 */
export function killFrozen(directory: string): void {
  const killed = new Set<number>();
  writeValue(directory, 'cgroup.freeze', 1);
  // A fork that was under way when the freeze came shows in a later look only.
  for (let fresh = pidsIn(directory); fresh.length > 0; fresh = pidsIn(directory).filter((pid) => !killed.has(pid)))
    for (const pid of fresh) {
      killUnlessGone(pid);
      killed.add(pid);
    }
  writeValue(directory, 'cgroup.freeze', 0);
}
