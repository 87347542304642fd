/** What a suite can do with a learner's module that runs in a sandbox. */

export interface Subject extends AsyncDisposable {
  /**
   * Call a function of the lab's driver, or else of the learner's module. Arguments and answer are JSON with bigint,
   * bytes, undefined and NaN added. A subject that has died is started anew for the next call.
   * @throws SubjectError what the function threw (its name, message, code, syscall); SubjectDied; SubjectTimeout;
   *   SubjectBroken when the module cannot be loaded. Each makes a test fail with a sentence for the learner.
   */
  call(name: string, ...args: unknown[]): Promise<unknown>;
  /**
   * A fresh directory that only the judge can write in, read-only for the subject: `inside` as the subject sees it,
   * `outside` as the judge does. Here go FIFOs, and files that a program under test is to read; a file made with mode
   * 0666 can be written to from inside too.
   */
  workDir(): Promise<{ inside: string; outside: string }>;
  /** Path inside the sandbox of a writable tree with a shell and the usual programs in /bin, for containers. */
  readonly rootfs: string;
  /** A writable, empty, size-limited directory inside the sandbox. */
  readonly scratch: string;
  /** The subject's pid on this machine. */
  readonly pid: number;
  /**
   * A path that is safe to read for the judge, for a path the subject uses. Every link on the way is resolved inside
   * the sandbox, so it never leads out to this machine's own files.
   * @throws KernelError ENOENT, …
   */
  outsidePath(inside: string): string;
  /** The last of what the subject printed, on standard output or standard error. */
  stderr(): string;
}

export interface SubjectOptions {
  /** Whom the module runs as inside the sandbox: `root` has every capability there, `nobody` none. */
  uid?: 'root' | 'nobody';
  /** Whether the module begins with no_new_privs, which nothing takes away again; true if absent. */
  noNewPrivileges?: boolean;
  /** Whether the sandbox shows its own control groups at /sys/fs/cgroup, to be given away with `delegateCgroups`; false if absent. */
  cgroups?: boolean;
  /** Milliseconds a call may take, 5,000 if absent. */
  patience?: number;
  /**
   * What the suite needs in the sandbox before its calls. It runs for every fresh subject: a test that failed, or a
   * subject that died, gives the next test another one.
   */
  prepare?: (subject: Subject) => Promise<void> | void;
}
