/**
 * Lab `namespaces`: a process that sees a world of its own.
 *
 * The engine calls these four functions in this order: `cloneFlags` in the parent, right before it forks;
 * `writeIdMappings` in the parent, while the child waits; `enterNamespaces` and `configureNamespaces` in the child,
 * once the parent has said "go". See namespaces.driver.ts for the whole story. None of them is `async`: a promise comes too late
 * for a fork. The contract says what is empty, absent or twice: `#contract/namespaces`.
 */

import { NotImplemented } from '#contract/not-implemented';
import type { IdMapping, Namespace } from '#spec';

/**
 * Task 1. The CLONE_NEW… flags for the namespaces that are to be made: those without a `path`.
 *
 * The cgroup namespace is left out: it begins at the cgroup its maker is in, and at this moment that is the engine's.
 * An empty list is 0n. A wrong mask is a container that shares what it should not.
 * @throws Error that names the type when it is unknown or stands twice, with a path or without.
 */
export function cloneFlags(_namespaces: Namespace[]): bigint {
  throw new NotImplemented('namespaces', 1);
}

/**
 * Task 2. Write uid_map, setgroups and gid_map of a child in a new user namespace.
 *
 * Called in the parent before the child does anything that needs an identity. The kernel takes each map in one
 * write, once. `setgroups` is set to `deny` only where the kernel insists on it: when CAP_SETGID is not in the caller's
 * effective set.
 * @param pid the child, 1…2²².
 * @param uidMappings at least one; ids are 0…2³²−2, `size` ≥ 1.
 * @throws Error that names the file when the kernel refuses a mapping. user_namespaces(7).
 */
export function writeIdMappings(_pid: number, _uidMappings: IdMapping[], _gidMappings: IdMapping[]): void {
  throw new NotImplemented('namespaces', 2);
}

/**
 * Task 3. In the child, once it sits in its cgroup and its ids are mapped.
 *
 * Three things, in this order: become uid and gid 0 of a new user namespace, if one was made; join every namespace
 * with a `path`, a user namespace before all others; make the cgroup namespace, if the list has one without a `path`. Open
 * all paths before the first join, and leave no descriptor open. A PID namespace with a path is not joined here: setns
 * moves the caller's children into it and never the caller. Changing ids made the process undumpable, so that its files
 * in /proc belong to root: undo that (PR_SET_DUMPABLE).
 * @throws KernelError, also for a path that leads to another type. setns(2), unshare(2), PR_SET_DUMPABLE(2const), cgroup_namespaces(7).
 */
export function enterNamespaces(_namespaces: Namespace[]): void {
  throw new NotImplemented('namespaces', 3);
}

/**
 * Task 4. In the child, after `enterNamespaces`: what a new namespace needs before a program feels at home in it.
 *
 * Host and domain name, where a UTS namespace was made (never in one that was joined: that belongs to another container);
 * the loopback interface up, where a network namespace was made.
 * @param names at most 64 bytes each; an absent one is left as it is, whatever the other one is.
 * @throws KernelError. sethostname(2), netdevice(7).
 */
export function configureNamespaces(
  _namespaces: Namespace[],
  _names: { hostname?: string; domainname?: string },
): void {
  throw new NotImplemented('namespaces', 4);
}
