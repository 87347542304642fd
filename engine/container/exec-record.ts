/** What is known of a further process in a running container. */

import type { EventEmitter } from 'node:events';
import type { Container } from './container.ts';

export interface ExecRequest {
  args: string[];
  env: string[];
  cwd: string;
  user: string;
  tty: boolean;
  privileged: boolean;
  attachStdin: boolean;
  attachStdout: boolean;
  attachStderr: boolean;
  detachKeys: string;
  consoleSize: [height: number, width: number];
}

/** A further process in a running container: asked for, running, or over. */
export interface Exec {
  readonly id: string;
  readonly container: Container;
  readonly request: ExecRequest;
  state: 'created' | 'running' | 'exited';
  pid: number;
  /** Null until it is over. */
  exitCode: number | null;
  readonly changes: EventEmitter<{ exit: [] }>;
}
