/**
 * What is said on the shim's unix socket.
 *
 * A connection begins with one line of JSON, a `Greeting`. After `{"role":"control"}` it carries NDJSON: requests
 * `{id, method, params}` from the client, answers `{id, result}` or `{id, error}` and `ShimEvent`s from the shim.
 * After `{"role":"attach", …}` the shim answers one line, `{"attached":true}` or `{"error": …}`, and from there on
 * the connection carries bytes: towards the client the frames of Docker's multiplexed stream (raw bytes if the
 * process has a terminal, or as the greeting says), towards the shim raw standard input, whose end is the half-close.
 */

import type { ExitStatus, StepFailure } from '../contract/process.ts';
import type { Process, Resources, Spec } from '../spec.ts';

/** The process of a container (`exec` absent) or one that was started in it by exec. */
export interface ProcessKey {
  container: string;
  exec?: string;
}

export interface Stdio {
  /** One pseudo-terminal instead of three pipes. */
  terminal: boolean;
  /** Keep standard input open for attached clients; else it is /dev/null. */
  stdin: boolean;
  /** Close standard input for good when the first client that sent to it has gone (Docker's StdinOnce). */
  stdinOnce: boolean;
  /** A file that gets every line in Docker's json-file form; absent for exec. */
  logPath?: string;
  /** How much of the log is kept; all of it if absent. */
  logBound?: LogBound;
}

/** At most so many files of at most so many bytes, the oldest of which goes when another is needed. */
export interface LogBound {
  size: number;
  /** At least 1. */
  files: number;
}

export type Greeting =
  | { role: 'control' }
  | {
      role: 'attach';
      key: ProcessKey;
      stdin: boolean;
      stdout: boolean;
      stderr: boolean;
      /** Whether the client gets frames; if absent, it does unless the process has a terminal. */
      framed?: boolean;
    };

export interface ShimFailure extends StepFailure {
  /** `not-found`, `conflict` or `failed`: what the caller can do about it. */
  kind: 'not-found' | 'conflict' | 'failed';
}

export interface Running {
  key: ProcessKey;
  /** In the shim's PID namespace. */
  pid: number;
  /** Field 22 of /proc/PID/stat, which with the pid names a process for good. */
  startTime: string;
}

export interface Exited {
  key: ProcessKey;
  status: ExitStatus;
  oomKilled: boolean;
  /** RFC 3339 with nanoseconds. */
  finishedAt: string;
}

export interface ShimMethods {
  /** Everything the shim knows: what runs, and what ended and has not been forgotten yet. */
  hello: { params: Record<string, never>; result: { pid: number; running: Running[]; exited: Exited[] } };
  /** Make the standard streams of a process that is to be started, so that clients can attach before it runs. */
  open: { params: { key: ProcessKey; stdio: Stdio }; result: Record<string, never> };
  /** Start a container whose streams are open. Fails as a whole: nothing is left of a start that failed but its open streams, which end. */
  start: { params: { container: string; spec: Spec }; result: { pid: number; startTime: string; startedAt: string } };
  /** Start another process in a running container. */
  exec: { params: { container: string; exec: string; process: Process }; result: { pid: number } };
  /** `signal` is a number, 1…64. With `all`, to every process in the container's cgroup. */
  signal: { params: { key: ProcessKey; signal: number; all?: boolean }; result: Record<string, never> };
  /** Set the limits that `resources` names of a running container's cgroup; the others stay. */
  update: { params: { container: string; resources: Resources }; result: Record<string, never> };
  resize: { params: { key: ProcessKey; height: number; width: number }; result: Record<string, never> };
  /** Drop streams and exit record of a process that is not running; a running one is a `conflict`. Idempotent. */
  forget: { params: { key: ProcessKey }; result: Record<string, never> };
  /** End the shim; a `conflict` while a process runs. */
  shutdown: { params: Record<string, never>; result: Record<string, never> };
}

export type ShimMethod = keyof ShimMethods;

/** So many more processes of a running container have been killed because it ran out of memory. */
export interface OutOfMemory {
  container: string;
  kills: number;
}

/** Sent on every control connection. A container's exit comes after its output has been written to its log. */
export type ShimEvent = ({ event: 'exit' } & Exited) | ({ event: 'oom' } & OutOfMemory);
