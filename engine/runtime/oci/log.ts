/** Where errors are written: to the log that the caller asked for, in the form it asked for, and to standard error. */

import { appendFileSync } from 'node:fs';

export interface LogOptions {
  /** Absent for standard error alone. */
  path?: string;
  format: 'text' | 'json';
  /** Whether each step is told, too. */
  debug: boolean;
}

/**
 * As runc's logger has it: podman and conmon look for `level` and `msg`. On standard error it is the sentence alone, since
 * callers that do not know this runtime by name show their users what they find there.
 */
export function logError(options: LogOptions, message: string): void {
  logLine(options, 'error', message);
}

/** For what is told and stops nothing. */
export function logWarning(options: LogOptions, message: string): void {
  logLine(options, 'warning', message);
}

/** For what is told only on request. */
export function logDebug(options: LogOptions, message: string): void {
  if (options.debug) logLine(options, 'debug', message);
}

function logLine({ path, format }: LogOptions, level: 'error' | 'warning' | 'debug', message: string): void {
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const line =
    format === 'json'
      ? JSON.stringify({ level, msg: message, time })
      : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}`;
  if (path !== undefined) appendUnlessImpossible(path, `${line}\n`);
  // A log that was asked for is enough for what stops nothing: the streams are the container's too.
  if (level !== 'error' && path !== undefined) return;
  const whole = path === undefined && (format === 'json' || level === 'debug');
  process.stderr.write(whole ? `${line}\n` : `${message}\n`);
}

function appendUnlessImpossible(path: string, line: string): void {
  try {
    appendFileSync(path, line, { mode: 0o644 });
  } catch {
    // It still stands on standard error.
  }
}
