import path from 'node:path';

/** Directories of processes that have ended are swept by their names: the prefix, a pid, and something random. */
export const SESSION_PREFIX = 'skiff-grade-';

/** How many sandboxes a session can have at a time: the one at work, the spare ones, and some that are being cleaned. */
export const SLOTS = 12;

export interface SessionPaths {
  /** Where the root of sandboxes is laid out, in the shim's mount namespace. */
  root: string;
  /** The root of the sandboxes that compile: the compiler, and nothing else. */
  compilerRoot: string;
  socket: string;
  /** The shim's own directory. */
  run: string;
  slot(slot: number): string;
  view(slot: number): string;
  /** A file in here is a slot that nobody uses; the process that renames it away has it. */
  free: string;
  taken: string;
  /** A file in here is a sandbox that has been started and waits for a module. */
  spare: string;
}

export function sessionPaths(session: string): SessionPaths {
  return {
    root: path.join(session, 'root'),
    compilerRoot: path.join(session, 'compiler'),
    socket: path.join(session, 'shim.sock'),
    run: path.join(session, 'run'),
    slot: (slot) => path.join(session, 'slots', String(slot)),
    view: (slot) => path.join(session, 'views', String(slot)),
    free: path.join(session, 'free'),
    taken: path.join(session, 'taken'),
    spare: path.join(session, 'spare'),
  };
}
