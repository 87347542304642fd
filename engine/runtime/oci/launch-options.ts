import { resolve } from 'node:path';
import { numberOf, type OptionTable, type ParsedLine, textOf } from './command-line.ts';

/** The options that `create` and `run` share. What other runtimes use these for and this one need not is taken and passed over. */
export const launchOptions: OptionTable = {
  bundle: { value: true, short: 'b' },
  'console-socket': { value: true },
  'pid-file': { value: true },
  'preserve-fds': { value: true },
  // A container here never has a session keyring of its own, nor is a root ever entered without pivot_root.
  'no-new-keyring': { value: false },
};

export function readLaunchOptions(line: ParsedLine): {
  bundle: string;
  consoleSocket?: string;
  pidFile?: string;
  preserveFds: number;
} {
  const path = (name: string) => {
    const value = textOf(line, name);
    return value === undefined || value === '' ? undefined : resolve(value);
  };
  return {
    bundle: textOf(line, 'bundle') || process.cwd(),
    consoleSocket: path('console-socket'),
    pidFile: path('pid-file'),
    preserveFds: numberOf(line, 'preserve-fds') ?? 0,
  };
}
