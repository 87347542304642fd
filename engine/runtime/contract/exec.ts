/** The plank of lab `exec`: another process in a running container, and the terminal it may sit at. */

import type { ConsoleSize, Namespace } from '../spec.ts';

/** Both ends of a pseudo-terminal, as descriptors that exec closes. pty(7). */
export interface Terminal {
  /** The end of whoever shows the terminal to a person. */
  master: number;
  /** The end of the programs on it. */
  slave: number;
}

/** What came of a piece of what somebody typed. */
export interface Scanned {
  /** What is for the program, in the order it was typed. */
  passed: Uint8Array;
  /** The key sequence was complete, now or before. Nothing passes from then on. */
  detached: boolean;
}

export interface ExecPlank {
  /**
   * The namespaces of process `pid` that the caller is not in, as specification types with their paths
   * (`{type: 'network', path: '/proc/7/ns/net'}`). The time namespace is left out: nothing here makes one.
   * @throws Error that names the pid when there is no such process. namespaces(7).
   */
  namespacesOf(pid: number): Namespace[];

  /**
   * In the parent: call `fork` so that its child is born in the PID namespace of the list (if there is one), and so that
   * no process of the container can look into that child: it is not dumpable. Afterwards the caller is as it was, also
   * when `fork` throws: dumpable, and its next children are born beside it. setns(2), PR_SET_DUMPABLE of prctl(2).
   * @returns what `fork` returned.
   */
  forkInto<T>(namespaces: Namespace[], fork: () => T): T;

  /**
   * In the child that `forkInto` made: call `enterCgroup`, which moves the caller into the container's cgroup, while the
   * caller still sees the host; then enter the namespaces, and become root of a user namespace that is among them.
   * The caller stays undumpable: it still holds what the engine had open.
   */
  joinContainer(namespaces: Namespace[], enterCgroup: () => void): void;

  /**
   * A new pseudo-terminal of a devpts instance, unlocked, of the size given.
   * @param devpts a descriptor of the directory it is mounted on. Nothing but a terminal multiplexer of that very
   *   directory is opened, whatever links somebody has put there.
   */
  openTerminal(devpts: number, size?: ConsoleSize): Terminal;

  /**
   * In the child: begin a session of its own, and make `slave` its controlling terminal; null for a session without one.
   * The caller is no process group leader. setsid(2), TIOCSCTTY of ioctl_tty(2).
   */
  leadSession(slave: number | null): void;

  /** Tell the terminal its size, 0…65535 each way; the kernel tells the programs on it by SIGWINCH. */
  resizeTerminal(master: number, size: ConsoleSize): void;

  /**
   * Looks for a key sequence in what is typed, which comes in pieces of any size. Everything before the sequence
   * passes, once and in order; the sequence itself and what follows it do not. What may yet become the sequence is held
   * back until it is decided, and not a byte longer.
   * @param keys at least one byte.
   */
  detachScanner(keys: Uint8Array): (chunk: Uint8Array) => Scanned;
}
