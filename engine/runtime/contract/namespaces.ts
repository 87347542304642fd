/** The plank of lab `namespaces`: new namespaces by clone3, joining old ones by setns, and what has to be set up in each. */

import type { IdMapping, Namespace } from '../spec.ts';

export interface NamespacesPlank {
  /**
   * The CLONE_NEW… flags for the namespaces that are to be made (those without a `path`), except cgroup: a cgroup
   * namespace is rooted at the cgroup its maker is in, so it is made after the move (see `enterNamespaces`).
   * @throws Error that names the type when it is unknown or stands twice.
   */
  cloneFlags(namespaces: Namespace[]): bigint;

  /**
   * Write /proc/PID/uid_map, setgroups and gid_map for a child in a new user namespace. Called in the parent, before
   * the child does anything that needs an identity. user_namespaces(7).
   * `setgroups` is set to `deny` only where the kernel insists on it: when the caller lacks CAP_SETGID.
   * @throws KernelError or Error that names the file when the kernel refuses a mapping.
   */
  writeIdMappings(pid: number, uidMappings: IdMapping[], gidMappings: IdMapping[]): void;

  /**
   * In the child, once it is in its cgroup and its ids are mapped: become uid and gid 0 of a new user namespace (if
   * one was made), join each namespace with a `path` by setns(2) (a user namespace first, since it decides what one may
   * do in the others), and unshare the cgroup namespace if one is to be made.
   * The PID namespace is joined by whoever forks, not here: setns does not move the caller into one.
   */
  enterNamespaces(namespaces: Namespace[]): void;

  /**
   * In the child, after `enterNamespaces`: set host and domain name when a UTS namespace was made for it, and bring
   * the loopback interface up when a network namespace was made. netdevice(7).
   * @throws KernelError
   */
  configureNamespaces(namespaces: Namespace[], names: { hostname?: string; domainname?: string }): void;
}
