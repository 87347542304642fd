/** The plank of lab `process`: fork, exec and wait. */

export interface Program {
  /** `args[0]` is the program: a path if it has a `/`, else looked up in the PATH of `env`. execvp(3). */
  args: string[];
  /** `KEY=VALUE` strings: the whole environment, nothing is inherited. */
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
  pid: number;
  /**
   * Read end of a pipe (close-on-exec, owned by the caller). It is at end-of-file at once when the program runs; else
   * it holds one StepFailure as JSON before its end-of-file.
   */
  report: number;
}

/** Why a child could not become its program. */
export interface StepFailure {
  /** The step that failed, e.g. `execve` or `mount /proc`. */
  step: string;
  /** The errno's name, e.g. `ENOENT`; `EUNKNOWN` if it was not a system call that failed. */
  code: string;
  message: string;
  /** What a shell would answer: 127 when the program is not found, 126 when it cannot be executed, 125 else. */
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
   * Runs in the child before the program does. Synchronous; whatever it throws is reported as a StepFailure and the
   * child ends with 125.
   */
  prepare?: () => void;
}

export interface ProcessPlank {
  /**
   * Become the program: called in a child, never returns when all is well.
   *
   * What the program may rely on: descriptors 0, 1, 2 are open and every other one is closed; every signal has its
   * default action and none is blocked (Node ignores SIGPIPE); the working directory and environment are as given.
   * @throws KernelError with `syscall` `chdir`, `execve`, … and its errno. For a name without `/`: EACCES when PATH
   *   only has files that cannot be executed, else ENOENT.
   */
  execute(program: Program): never;

  /**
   * Fork, run `options.prepare` and then the program in the child, and return at once in the parent.
   * @throws KernelError when there can be no child. A failure inside the child comes over `report` instead.
   */
  spawn(program: Program, options?: SpawnOptions): Child;

  /** Decode what wait(2) stored: WIFEXITED, WEXITSTATUS, WIFSIGNALED, WTERMSIG. */
  exitStatus(waitStatus: number): ExitStatus;

  /** Wait until child `pid` has ended, and reap it. Restarts on EINTR. @throws KernelError ECHILD if it is no child of ours. */
  wait(pid: number): ExitStatus;
}
