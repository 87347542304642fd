/**
 * fork in Node. V8 keeps its heap out of forks (MADV_DONTFORK), so a bare clone dies in the child at its first step;
 * one madvise right before the call undoes it. The child goes on in JavaScript with one thread: it may make synchronous
 * calls only, and must end in execve or _exit.
 */

import { close, pipe, pollIn, read, write } from './descriptors.ts';
import { KernelError } from './errors.ts';
import { exitNow } from './execve.ts';
import { libcFunction, rawSystemCall } from './libc.ts';
import { CLONE_NEWPID, namesOf, setns } from './namespaces.ts';
import { blockAllSignals, kill, setSignalMask } from './signals.ts';
import { waitpid } from './wait.ts';

const madvise = libcFunction('int madvise(uint64_t, uint64_t, int)');

const MADV_DOFORK = 11;
/** One page below the end of user space: 47 bits of address on x86-64, 48 on arm64. */
const USER_SPACE_END = process.arch === 'arm64' ? 0xfffffffff000n : 0x7ffffffff000n;
const SIGCHLD = 17n;
const SIGKILL = 9;
const EAGAIN = 11;
const CLONE_CLEAR_SIGHAND = 0x100000000n;
const CLONE_PARENT = 0x8000n;
const CLONE_INTO_CGROUP = 0x200000000n;
const CLONE_ARGS_BYTES = 88; // struct clone_args, linux/sched.h
/** A child of a healthy fork says its first word within a few milliseconds, also on a loaded machine. */
const WATCHDOG_MILLISECONDS = 5_000;
const ATTEMPTS = 2;

export interface ForkOptions {
  /** CLONE_NEW… flags or'ed together. clone(2). */
  flags?: bigint;
  /** A descriptor of a cgroup v2 directory to be born in (CLONE_INTO_CGROUP). */
  cgroup?: number;
}

/**
 * Fork; `child` runs in the child, with every signal blocked and no signal handler. If it returns or throws, the child
 * ends with 125.
 *
 * A child that dies or hangs before it reaches `child` (another thread of Node held a lock at the wrong moment) is
 * killed and the fork tried once more, so `child` runs in exactly one process.
 * @returns the child's pid, in the caller's PID namespace.
 * @throws KernelError when clone3(2) fails; Error when the child did not come alive twice.
 */
export function fork(child: () => never, options: ForkOptions = {}): number {
  const failures: string[] = [];
  while (failures.length < ATTEMPTS) {
    const alive = pipe();
    const mask = blockAllSignals();
    let pid: number;
    try {
      pid = pidNamespace === undefined ? clone3(options) : cloneThere(pidNamespace, options);
    } catch (error) {
      setSignalMask(mask);
      close(alive.read);
      close(alive.write);
      throw error;
    }
    if (pid === 0) {
      try {
        write(alive.write, '.');
        close(alive.write);
        close(alive.read);
        child();
      } finally {
        exitNow(125);
      }
    }
    setSignalMask(mask);
    close(alive.write);
    const failure = waitUntilAlive(pid, alive.read);
    close(alive.read);
    if (failure === null) return pid;
    failures.push(failure);
  }
  throw new Error(
    `fork: ${ATTEMPTS} children in a row did not come alive (${failures.join('; ')}). ` +
      'The process that forks must run as `node --single-threaded --v8-pool-size=0`.',
  );
}

let birthplace: number | undefined;

/**
 * Children that are forked while `run` runs are born in the cgroup v2 directory `cgroup` is open at, also where somebody
 * else forks who knows nothing of cgroups. Moved there later a process would wait some ten milliseconds, for the kernel
 * then keeps every fork on the machine waiting. clone(2), CLONE_INTO_CGROUP.
 */
export function bornIn<T>(cgroup: number, run: () => T): T {
  birthplace = cgroup;
  try {
    return run();
  } finally {
    birthplace = undefined;
  }
}

let pidNamespace: number | undefined;

/**
 * Children that are forked while `run` runs are born in the PID namespace that `namespace` is open at, and are the
 * caller's all the same. For callers that cannot setns back: setns(2) to a PID namespace takes power over it, which root of a user
 * namespace does not have over the one it came from. So a child goes there in the caller's place, and its own child is made
 * its sibling. clone(2), CLONE_PARENT.
 */
export function bornInPidNamespace<T>(namespace: number, run: () => T): T {
  pidNamespace = namespace;
  try {
    return run();
  } finally {
    pidNamespace = undefined;
  }
}

/** @returns as clone3: 0 in the new process. @throws KernelError of what the go-between could not do. */
function cloneThere(namespace: number, options: ForkOptions): number {
  const said = pipe();
  let between: number;
  try {
    between = clone3({});
  } catch (error) {
    close(said.read);
    close(said.write);
    throw error;
  }
  if (between === 0 && goBetween(namespace, options, said.write) === 0) {
    close(said.read);
    close(said.write);
    return 0;
  }
  close(said.write);
  const answer = read(said.read)?.toString() ?? JSON.stringify({ syscall: 'clone3', errno: EAGAIN });
  close(said.read);
  reap(between);
  const { pid, syscall, errno, subject } = JSON.parse(answer);
  if (pid === undefined) throw new KernelError(syscall, errno, subject);
  return pid;
}

/** Returns in the new process only. */
function goBetween(namespace: number, options: ForkOptions, said: number): 0 {
  try {
    setns(namespace, CLONE_NEWPID);
    const pid = clone3({ ...options, flags: (options.flags ?? 0n) | CLONE_PARENT });
    if (pid === 0) return 0;
    write(said, JSON.stringify({ pid }));
  } catch (error) {
    const { syscall, errno, subject } = error as KernelError;
    write(said, JSON.stringify({ syscall, errno, subject }));
  }
  return exitNow(0);
}

function clone3({ flags = 0n, cgroup = birthplace }: ForkOptions): number {
  const args = Buffer.alloc(CLONE_ARGS_BYTES);
  args.writeBigUInt64LE(flags | CLONE_CLEAR_SIGHAND | (cgroup === undefined ? 0n : CLONE_INTO_CGROUP), 0);
  // A sibling's signal is that of its maker.
  if ((flags & CLONE_PARENT) === 0n) args.writeBigUInt64LE(SIGCHLD, 32); // exit_signal
  if (cgroup !== undefined) args.writeBigUInt64LE(BigInt(cgroup), 80);
  // EINVAL at the kernel's own vvar mapping is expected: everything below it has been marked by then.
  madvise(0x1000n, USER_SPACE_END - 0x1000n, MADV_DOFORK);
  return rawSystemCall(
    'clone3',
    flags === 0n ? 'without new namespaces' : `with new ${namesOf(flags)}`,
    args,
    args.length,
  );
}

/** @returns null when the child spoke, else what became of it; it has been reaped then. */
function waitUntilAlive(pid: number, fd: number): string | null {
  const spoke = pollIn(fd, WATCHDOG_MILLISECONDS);
  if (spoke && read(fd, 1)?.length === 1) return null;
  kill(pid, SIGKILL);
  const ended = reap(pid);
  return spoke ? `wait status ${ended} before its first step` : `silent for ${WATCHDOG_MILLISECONDS} ms`;
}

function reap(pid: number): number {
  for (;;) {
    try {
      return waitpid(pid)!.status;
    } catch (error) {
      if (!(error instanceof KernelError && error.code === 'EINTR')) throw error;
    }
  }
}
