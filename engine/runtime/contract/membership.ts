/** The plank of lab `what-is-a-container`: what the kernel says a process is a member of. */

/** The names of /proc/PID/ns, without the `_for_children` twins. namespaces(7). */
export type NamespaceName = 'cgroup' | 'ipc' | 'mnt' | 'net' | 'pid' | 'time' | 'user' | 'uts';

/** One line of /proc/PID/cgroup. cgroups(7), "/proc files". */
export interface CgroupMembership {
  /** 0 for the v2 hierarchy, else the v1 hierarchy's number. */
  hierarchy: number;
  /** Empty for v2; `name=systemd` and the like are kept as they are, e.g. `['cpu', 'cpuacct']`. */
  controllers: string[];
  /** The cgroup's path inside its hierarchy, starting with `/`. May itself contain colons. */
  path: string;
}

export interface Membership {
  /** The inode number of each namespace: equal numbers, same namespace. Names the kernel does not have are absent. */
  namespaces: Partial<Record<NamespaceName, number>>;
  cgroups: CgroupMembership[];
}

export interface MembershipPlank {
  /**
   * Turn `pid:[4026531836]` into its parts: the name, lower-case letters and `_`, at least one; and the inode number,
   * decimal digits, at least one, 0…2³² − 1, as a number.
   * @throws Error if `link` has any other form, also if text (a blank, a newline) stands before or after it. The
   *   message contains `link`; control characters may be escaped as in JSON.
   */
  parseNamespaceLink(link: string): { name: string; inode: number };

  /**
   * Parse the whole text of /proc/PID/cgroup: lines `hierarchy:controllers:path`, each ended by `\n`, which may be
   * missing after the last one. The result is in the order of the lines. Empty text gives `[]`. The kernel writes no
   * other lines, so what happens with them is left open.
   */
  parseCgroupFile(text: string): CgroupMembership[];

  /**
   * What process `pid` (1…2²²) is a member of, now: the links of `PROC/PID/ns` and the file `PROC/PID/cgroup`, read anew
   * by each call. `pid_for_children` and `time_for_children` are left out. A kind of namespace that is not a
   * `NamespaceName` may be in the result or not.
   * @param proc where procfs is mounted, `/proc` by default. Nothing outside of it is read.
   * @throws Error whose message contains the pid if there is no such process.
   */
  membershipOf(pid: number, proc?: string): Membership;

  /**
   * The names of the namespaces that `a` and `b` do not share, each once, in alphabetical order; `[]` if they share all.
   * A namespace that only one of them has is not shared; one that neither has is left out. `cgroups` is not compared,
   * and the order of keys means nothing.
   */
  separatedBy(a: Membership, b: Membership): NamespaceName[];
}
