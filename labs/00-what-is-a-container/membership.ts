/** What a process is a member of, read from /proc. namespaces(7), cgroups(7). */

import type { CgroupMembership, Membership, NamespaceName } from '#contract/membership';
import { NotImplemented } from '#contract/not-implemented';

/**
 * Task 1. Turn what readlink(2) answers for a file of /proc/PID/ns, such as `pid:[4026531836]`, into its parts.
 * @returns the name before the colon (lower-case letters and `_`), and the inode number between the brackets as a number.
 * @throws Error that quotes `link` if it has any other form: one character before, between or after is enough.
 */
export function parseNamespaceLink(_link: string): { name: string; inode: number } {
  throw new NotImplemented('what-is-a-container', 1);
}

/**
 * Task 2. Parse the whole text of /proc/PID/cgroup: one line per hierarchy, `hierarchy:controllers:path`, each ended
 * by a newline, which may be missing after the last one. The result is in the order of the lines. Empty text gives `[]`.
 *
 * Of the three fields only the last is free text: a cgroup is a directory, and `mkdir` takes almost any name.
 * Version 2 of cgroups has hierarchy 0 and no controllers, which is an empty list.
 */
export function parseCgroupFile(_text: string): CgroupMembership[] {
  throw new NotImplemented('what-is-a-container', 2);
}

/**
 * Task 3. What process `pid` (1…2²²) is a member of, now.
 *
 * Namespaces come from the symbolic links in `PROC/PID/ns`, cgroups from the file `PROC/PID/cgroup`. A namespace that
 * this kernel does not have is absent from the result. Leave out `pid_for_children` and `time_for_children`.
 * @param proc where procfs is mounted. The checks also pass a directory that looks like one.
 * @throws Error that names the pid if there is no such process.
 */
export function membershipOf(_pid: number, _proc = '/proc'): Membership {
  throw new NotImplemented('what-is-a-container', 3);
}

/**
 * Task 4. The names of the namespaces that `a` and `b` do not share, in alphabetical order; `[]` if they share all of
 * them. A namespace that only one of them has is not shared; one that neither has is left out. Do not compare cgroups.
 */
export function separatedBy(_a: Membership, _b: Membership): NamespaceName[] {
  throw new NotImplemented('what-is-a-container', 4);
}
