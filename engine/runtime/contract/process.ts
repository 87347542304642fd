/** The plank of lab `process`: fork, exec and wait. */

export interface Program {
  /** `args[0]` is the program: a path if it has a `/`, else a name that is looked up. If it is empty or missing: ENOENT. */
  args: string[];
  /**
   * `KEY=VALUE` strings in this order: the whole environment, nothing is inherited. A name is looked up in the first entry
   * that begins with `PATH=`, its elements separated by `:`, from left to right; an empty element is the working
   * directory, also the only one of `PATH=`. If there is no such entry, in
   * `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`. EACCES, ENOENT and ENOTDIR let the search go on; any
   * other error ends it. execvp(3).
   */
  env: string[];
  /** The working directory, absolute. */
  cwd: string;
  /** Open descriptors of the calling process that become 0, 1 and 2. They may repeat and may be 0…2 themselves, in any order. */
  stdio: [stdin: number, stdout: number, stderr: number];
  /** How many descriptors from 3 on the program inherits as they are. Only the engine's own module knows of it; 0 if absent. */
  inherited?: number;
  /**
   * All but the exec is done: the working directory, the streams, the signals, and what the exec closes. Only the engine's
   * own module knows of it; a module that does it once more changes nothing.
   */
  ready?: boolean;
}

export interface Child {
  /** As the caller sees it. */
  pid: number;
  /**
   * Read end of a pipe (close-on-exec; the caller closes it). It is at end-of-file as soon as the program runs; if there
   * is not a program, it holds one StepFailure as JSON before its end-of-file.
   */
  report: number;
}

/** Why a child could not become its program. */
export interface StepFailure {
  /**
   * The step that failed: of a KernelError its `syscall`, e.g. `execve`; of any other error `prepare`. Errors of the
   * engine's own planks may bring a `step`, e.g. `mount /proc`; it may be used instead.
   */
  step: string;
  /** Of a KernelError its `code`, e.g. `ENOENT`; of an Error without a `code` `EUNKNOWN`. */
  code: string;
  /** What the error says: of an Error its message, or text that contains it. */
  message: string;
  /** 127 if execve failed with ENOENT or ENOTDIR, 126 if it failed with another errno, 125 for every other failure. */
  exitCode: 125 | 126 | 127;
}

export interface ExitStatus {
  /** 0…255; 128 + n when signal n ended it. */
  exitCode: number;
  /** E.g. `SIGKILL`; null when the program ended by itself. */
  signal: string | null;
}

export interface SpawnOptions {
  /** CLONE_NEW… flags or'ed together, 0n for a plain fork. clone(2). */
  cloneFlags: bigint;
  /**
   * Runs in the child before anything else, and is synchronous. Whatever it throws is reported as a StepFailure, and the
   * child ends with that exitCode: 125, unless it is a KernelError of execve.
   */
  prepare?: () => void;
}

export interface ProcessPlank {
  /**
   * Become the program: called in a child, never returns when all is well.
   *
   * What the program may rely on: descriptors 0, 1, 2 are open and every other one is closed; every signal has its
   * default action and none is blocked (Node ignores SIGPIPE); the working directory and environment are as given. A
   * signal that came while all were blocked meets its default action before the exec: it is not lost.
   * @throws KernelError with `syscall` `chdir`, `execve`, … and its errno. For a name without `/`: EACCES if the search
   *   met a file that may not be executed, else ENOENT.
   */
  execute(program: Program): never;

  /**
   * Fork, run `options.prepare` and then the program in the child, and return at once in the parent. The parent keeps
   * only `report` open.
   * @throws KernelError if there can be no child; no descriptor stays open then. A failure inside the child comes over
   *   `report` instead.
   */
  spawn(program: Program, options?: SpawnOptions): Child;

  /** Decode what wait(2) stored for a child that has ended: WIFEXITED, WEXITSTATUS, WIFSIGNALED, WTERMSIG. */
  exitStatus(waitStatus: number): ExitStatus;

  /**
   * Wait until child `pid` has ended, and reap it; other children are left alone. Restarts on EINTR.
   * @throws KernelError ECHILD if it is not a child of ours, or has been waited for already.
   */
  wait(pid: number): ExitStatus;
}
