/** Where errors are written: to the log that the caller asked for, in the form it asked for, and to standard error. */

import { appendFileSync } from 'node:fs';

export interface LogOptions {
  /** Absent for standard error alone. */
  path?: string;
  format: 'text' | 'json';
}

/** As runc's logger has it: podman and conmon look for `level` and `msg`. */
export function logError({ path, format }: LogOptions, message: string): void {
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const line =
    format === 'json'
      ? JSON.stringify({ level: 'error', msg: message, time })
      : `time=${JSON.stringify(time)} level=error msg=${JSON.stringify(message)}`;
  if (path !== undefined) appendUnlessImpossible(path, `${line}\n`);
  process.stderr.write(path === undefined ? `${line}\n` : `${message}\n`);
}

function appendUnlessImpossible(path: string, line: string): void {
  try {
    appendFileSync(path, line, { mode: 0o644 });
  } catch {
    // It still stands on standard error.
  }
}
