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
  /** Turn `pid:[4026531836]` into its parts. Throws an Error that quotes `link` if it has any other form. */
  parseNamespaceLink(link: string): { name: string; inode: number };

  /** Parse the whole text of /proc/PID/cgroup. Lines are `hierarchy:controllers:path`. Empty text gives `[]`. */
  parseCgroupFile(text: string): CgroupMembership[];

  /**
   * What process `pid` (1…2²²) is a member of.
   * @param proc where procfs is mounted, `/proc` by default.
   * @throws Error that names the pid when there is no such process.
   */
  membershipOf(pid: number, proc?: string): Membership;

  /** The namespaces two processes do not share, sorted by name. Two processes are "in one container" when it is empty. */
  separatedBy(a: Membership, b: Membership): NamespaceName[];
}
