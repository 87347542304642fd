/**
 * Lab `exec`: another process in a running container, at a terminal of its own.
 *
 * The engine calls these in the order in which they stand here. `namespacesOf` and `forkInto` run in the parent;
 * `joinContainer`, `openTerminal` and `leadSession` in the child, before it becomes its program; `resizeTerminal` and
 * `detachScanner` serve the person at the terminal. See exec.driver.ts for the whole story.
 */

import type { Scanned, Terminal } from '#contract/exec';
import { NotImplemented } from '#contract/not-implemented';
import type { ConsoleSize, Namespace } from '#spec';

/**
 * Task 1. The namespaces of process `pid` that the caller is not in: specification types, each with its path in /proc.
 *
 * Needed before anything is joined: what a container shares with the engine is not to be entered, and some of it cannot
 * be. The kernel knows of an eighth type, `time`, which nothing here makes; leave it out.
 * @param pid as the caller sees it, 1…2²².
 * @returns in any order; `[]` if the caller is in all of them.
 * @throws Error that names the pid if there is no such process. namespaces(7).
 */
export function namespacesOf(_pid: number): Namespace[] {
  throw new NotImplemented('exec', 1);
}

/**
 * Task 2. In the parent: call `fork` in such a way that its child is born in the PID namespace of the list, if there is
 * one, and that no process of the container can look into the child.
 *
 * The child is a copy of the engine, and the container sees it from its first moment, also if the list has no PID
 * namespace. Afterwards the caller is what it was before, also if `fork` throws: dumpable, with its own
 * `pid_for_children`, and without the descriptors that were opened here.
 * @returns what `fork` returned. setns(2), PR_SET_DUMPABLE of prctl(2), ptrace(2).
 */
export function forkInto<T>(_namespaces: Namespace[], _fork: () => T): T {
  throw new NotImplemented('exec', 2);
}

/**
 * Task 3. In the child that `forkInto` made: the cgroup, then the namespaces, then an identity.
 *
 * The PID namespace is left alone, the child was born in it. A user namespace decides what one may do in the others, and
 * in it the child becomes uid and gid 0; without one it keeps its ids. The child stays undumpable until it is another
 * program. The list may be in any order.
 * @param enterCgroup moves the caller into the container's cgroup. Call it once, while the host is in sight.
 * @throws KernelError. setns(2), user_namespaces(7).
 */
export function joinContainer(_namespaces: Namespace[], _enterCgroup: () => void): void {
  throw new NotImplemented('exec', 3);
}

/**
 * Tasks 4 and 5. A new pseudo-terminal of one devpts instance: unlocked, and of the size given.
 *
 * @param devpts a descriptor of the directory where it is mounted; leave it open. What is in there may be a trap: if
 *   `ptmx` is a symbolic link, wherever it leads, throw.
 * @param size 0…65535 each way; if absent, leave the size as it is.
 * @returns two descriptors that exec closes. pts(4), openat2(2), ioctl_tty(2).
 */
export function openTerminal(_devpts: number, _size?: ConsoleSize): Terminal {
  throw new NotImplemented('exec', 4);
}

/**
 * Task 4. In the child: begin a session, and make `slave` its controlling terminal. If it is null, only begin a session.
 *
 * The kernel gives a terminal only to the leader of a session that has none yet.
 * @throws KernelError EPERM if the caller leads a process group already. setsid(2), credentials(7).
 */
export function leadSession(_slave: number | null): void {
  throw new NotImplemented('exec', 4);
}

/**
 * Task 5. Tell a terminal its size. The kernel tells the programs on it.
 * @param size 0…65535 each way. TIOCSWINSZ of ioctl_tty(2).
 */
export function resizeTerminal(_master: number, _size: ConsoleSize): void {
  throw new NotImplemented('exec', 5);
}

/**
 * Task 6. Looks for a key sequence in what is typed, which comes in pieces of any size.
 *
 * What comes before the sequence passes, once and in order; the sequence and all that follows do not. A piece may end
 * in the middle of the sequence: what may yet become it is held back until that is decided, and not a byte longer. Each
 * call makes a scanner with a state of its own.
 * @param keys at least one byte, e.g. 16 and 17 for ctrl-p, ctrl-q.
 */
export function detachScanner(_keys: Uint8Array): (chunk: Uint8Array) => Scanned {
  throw new NotImplemented('exec', 6);
}
