/** What stands before the command. */

import { resolve } from 'node:path';
import { type OptionTable, parseLine, textOf } from './command-line.ts';
import { RuntimeError } from './error.ts';
import type { LogOptions } from './log.ts';

export interface Settings {
  /** Where the state of containers is kept, absolute. */
  root: string;
  log: LogOptions;
  /** The command and what follows it. */
  line: string[];
  version: boolean;
  help: boolean;
  systemdCgroup: boolean;
}

/** @returns the exit code. */
export type Command = (line: string[], settings: Settings) => number | Promise<number>;

const options: OptionTable = {
  root: { value: true },
  log: { value: true },
  'log-format': { value: true },
  debug: { value: false },
  'systemd-cgroup': { value: false },
  rootless: { value: true },
  criu: { value: true },
  version: { value: false, short: 'v' },
  help: { value: false, short: 'h' },
};

/** @throws RuntimeError */
export function readSettings(argv: string[], env: NodeJS.ProcessEnv): Settings {
  const line = parseLine(options, argv, 'before');
  const format = textOf(line, 'log-format') ?? 'text';
  if (format !== 'text' && format !== 'json')
    throw new RuntimeError(`invalid log-format: ${format}; there is text and json`);
  return {
    root: resolve(textOf(line, 'root') ?? defaultRoot(env)),
    log: { path: textOf(line, 'log'), format, debug: line.flags.has('debug') },
    line: line.rest,
    version: line.flags.has('version'),
    help: line.flags.has('help'),
    systemdCgroup: line.flags.has('systemd-cgroup'),
  };
}

function defaultRoot(env: NodeJS.ProcessEnv): string {
  const runtimeDirectory = process.geteuid?.() === 0 ? '/run' : env.XDG_RUNTIME_DIR;
  if (runtimeDirectory === undefined)
    throw new RuntimeError('There is no XDG_RUNTIME_DIR to keep the state in; say where with --root.');
  return `${runtimeDirectory}/skiff-runtime`;
}
