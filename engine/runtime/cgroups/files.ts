/** cgroup directories and their one-value files. */

import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { kill } from '#kernel/signals';
import { step } from '../step.ts';

/** Write one value. @throws Error whose step and text name the file and the value. */
export function writeValue(directory: string, file: string, value: string | number): void {
  writeValues(directory, file, [String(value)]);
}

/** Write one value after the other, each by a write(2) of its own. @throws as `writeValue` */
export function writeValues(directory: string, file: string, values: string[]): void {
  step(`cgroup ${file}`, () => {
    let value = values[0];
    try {
      const fd = openSync(join(directory, file), 'w');
      try {
        for (value of values) writeSync(fd, value);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw Object.assign(new Error(`The kernel refuses ${value} in ${join(directory, file)} (${code}).`), { code });
    }
  });
}

/** @returns null when there is no such file. */
export function readValue(directory: string, file: string): string | null {
  try {
    return readFileSync(join(directory, file), 'utf8').trim();
  } catch {
    return null;
  }
}

/** The number behind `key` in a file of `key value` lines, 0 when it has none. */
export function readKey(directory: string, file: string, key: string): number {
  const line = readValue(directory, file)
    ?.split('\n')
    .find((each) => each.startsWith(`${key} `));
  return line === undefined ? 0 : Number(line.slice(key.length + 1));
}

/** A file of `key value` lines as an object; empty when there is none. */
export function readNumbers(directory: string, file: string): Record<string, number> {
  const lines = (readValue(directory, file) ?? '').split('\n').map((line) => line.split(' '));
  return Object.fromEntries(lines.flatMap(([key, value]) => (key && value ? [[key, Number(value)]] : [])));
}

/** A directory and its parents below `root`, top down. @returns those that were not there, topmost first. */
export function makeDirectories(root: string, path: string): string[] {
  const directory = join(root, path);
  // Another engine may take away the empty parent that both share between our two looks at it.
  for (let attempt = 1; ; attempt++) {
    try {
      return makeFrom(root, directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 5) throw error;
    }
  }
}

function makeFrom(root: string, directory: string): string[] {
  if (directory === root) return [];
  try {
    mkdirSync(directory);
    return [directory];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return [];
    if (code !== 'ENOENT') throw error;
  }
  const made = makeFrom(root, dirname(directory));
  mkdirSync(directory);
  return [...made, directory];
}

/** The directory and all below it, deepest first; empty when it is not there. */
export function tree(directory: string): string[] {
  let children: string[];
  try {
    children = readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return [];
  }
  return [...children.flatMap((child) => tree(join(directory, child))), directory];
}

/** @returns whether they are gone: true also when they were not there, false when one is in use. */
export function removeTree(directory: string): boolean {
  return removeDirectory(directory) || tree(directory).every(removeDirectory);
}

/** @returns false when it has processes or children. */
export function removeDirectory(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}

/**
 * The pids in cgroup.procs of the directory and all below it. A process that the reader's PID namespace does not show
 * stands there as 0, which kill(2) would take for the caller's own process group.
 */
export function pidsIn(directory: string): number[] {
  return tree(directory).flatMap((each) =>
    (readValue(each, 'cgroup.procs') ?? '')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0),
  );
}

const SIGKILL = 9;

export function killUnlessGone(pid: number): void {
  try {
    kill(pid, SIGKILL);
  } catch {
    // ESRCH: it has ended by itself.
  }
}
