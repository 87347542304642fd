/** The plank of lab `namespaces`: new namespaces by clone3, joining old ones by setns, and what has to be set up in each. */

import type { IdMapping, Namespace } from '../spec.ts';

export interface NamespacesPlank {
  /**
   * The CLONE_NEW… flags for the namespaces that are to be made (those without a `path`), except cgroup: a cgroup
   * namespace is rooted at the cgroup its maker is in, so it is made after the move (see `enterNamespaces`).
   * The types are those of config-linux.md; `mount` is CLONE_NEWNS and `network` CLONE_NEWNET. An empty list is 0n.
   * @returns the synchronous answer of this function, and of all four: a promise comes too late for a fork.
   * @throws Error that names the type when it is unknown (also `toString`) or stands twice, with a path or without.
   */
  cloneFlags(namespaces: Namespace[]): bigint;

  /**
   * Write /proc/PID/uid_map, setgroups and gid_map for a child in a new user namespace. Called in the parent, before
   * the child does anything that needs an identity. user_namespaces(7).
   * Each map is written once, all of its lines in one write. Both lists have at least one entry, in any order, ids up to
   * 2³²−2 and `size` ≥ 1; they are written as they are, and the kernel judges them.
   * `setgroups` is set to `deny` only where the kernel insists on it: when CAP_SETGID is not in the caller's effective set
   * (its uid and the other sets do not matter); otherwise it is left alone.
   * @throws KernelError or Error that names the file when the kernel refuses a mapping.
   */
  writeIdMappings(pid: number, uidMappings: IdMapping[], gidMappings: IdMapping[]): void;

  /**
   * In the child, once it is in its cgroup and its ids are mapped: become uid and gid 0 of a new user namespace (if
   * one was made), join each namespace with a `path` by setns(2) (a user namespace first, since it decides what one may
   * do in the others), and unshare the cgroup namespace if one is to be made.
   * All paths are opened before the first namespace is joined, and no descriptor stays open. The joins come before the
   * cgroup namespace is made; a cgroup namespace with a path is joined like any other, and none is made.
   * Only what was made is entered as root: uid and gid stay as they are when the user namespace is joined. The files of
   * the process in /proc belong to its new uid afterwards: changing ids made it undumpable, which PR_SET_DUMPABLE undoes.
   * A PID namespace with a path is not joined here: the parent did that before it forked, for setns moves only children.
   * @throws KernelError, also when a path leads to nothing or to a namespace of another type.
   */
  enterNamespaces(namespaces: Namespace[]): void;

  /**
   * In the child, after `enterNamespaces`: set host and domain name when a UTS namespace was made for it, and bring
   * the loopback interface up when a network namespace was made. netdevice(7). A joined namespace is left as it is.
   * Each name stands for itself: an absent one is left alone, also when the other one is given. An empty one is set.
   * @throws KernelError
   */
  configureNamespaces(namespaces: Namespace[], names: { hostname?: string; domainname?: string }): void;
}
