/** The plank of lab `exec`: another process in a running container, and the terminal it may sit at. */

import type { ConsoleSize, Namespace } from '../spec.ts';

/** Both ends of a pseudo-terminal, as descriptors that exec closes (FD_CLOEXEC is set on both). pty(7). */
export interface Terminal {
  /** The end of the program that shows the terminal to a person. */
  master: number;
  /** The end of the programs that run on it. */
  slave: number;
}

/** The answer to one piece of what somebody typed. */
export interface Scanned {
  /** What is for the program, in the order it was typed. An array of its own: later calls do not change it. */
  passed: Uint8Array;
  /** True if the key sequence was complete in this piece or in an earlier one. Nothing passes from then on. */
  detached: boolean;
}

export interface ExecPlank {
  /**
   * The namespaces of process `pid` that the caller is not in, as specification types with their paths
   * (`{type: 'network', path: '/proc/7/ns/net'}`), each once, in any order; `[]` if the caller is in all of them. A time
   * namespace is left out: nothing here makes one.
   * @throws Error whose message contains the pid if there is no such process. namespaces(7).
   */
  namespacesOf(pid: number): Namespace[];

  /**
   * In the parent: call `fork` once, so that its child is born in the PID namespace of the list, or in the caller's own
   * if the list has none; and so that from its birth on no process of the container can look into the child: it is
   * not dumpable, in both cases. Afterwards the caller is as it was, also if `fork` throws or a path cannot be opened: it
   * is dumpable, its next children are born beside it, and no descriptor stays open. setns(2), PR_SET_DUMPABLE of
   * prctl(2).
   * @param namespaces each has a path; types are not repeated.
   * @returns what `fork` returned. @throws what `fork` throws; KernelError.
   */
  forkInto<T>(namespaces: Namespace[], fork: () => T): T;

  /**
   * In the child that `forkInto` made: call `enterCgroup` once, which moves the caller into the container's cgroup, while
   * the caller still sees the host; then enter the namespaces, except the PID namespace; and if a user namespace is among
   * them become uid 0 and gid 0 in it, else keep the ids. The caller stays undumpable all the time: it still holds what
   * the engine had open. The list may be in any order.
   */
  joinContainer(namespaces: Namespace[], enterCgroup: () => void): void;

  /**
   * A new pseudo-terminal of a devpts instance, unlocked.
   * @param devpts a descriptor of the directory it is mounted on; it stays open. The multiplexer is `ptmx` in it. If that
   *   name is a symbolic link, wherever it leads, nothing is opened.
   * @param size if absent, the size is left as it is.
   * @throws Error if `ptmx` is missing or a symbolic link, or is not a multiplexer.
   */
  openTerminal(devpts: number, size?: ConsoleSize): Terminal;

  /**
   * In the child: begin a session of its own, also if `slave` is null; otherwise make `slave` its controlling terminal,
   * which puts the child in its foreground. `slave` stays open.
   * @throws KernelError EPERM if the caller leads a process group. setsid(2), TIOCSCTTY of ioctl_tty(2).
   */
  leadSession(slave: number | null): void;

  /** Tell the terminal its size, 0…65535 each way. The kernel tells the programs on it by SIGWINCH. */
  resizeTerminal(master: number, size: ConsoleSize): void;

  /**
   * Look for a key sequence in what is typed, which comes in pieces of any size, also empty ones. Everything before the
   * sequence passes, once and in order; the sequence and what follows it do not. After each piece the longest end of
   * what was typed that is a beginning of the sequence is held back, and no byte more. Every call of detachScanner makes a
   * scanner of its own.
   * @param keys at least one byte.
   */
  detachScanner(keys: Uint8Array): (chunk: Uint8Array) => Scanned;
}
