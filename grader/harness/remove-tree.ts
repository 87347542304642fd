/**
 * Remove what a submission made, by descriptor: names are bytes, a tree may be deeper than a path can be long, and
 * nothing on the way is looked up twice. One descriptor is open at a time, so depth costs none.
 */

import fs from 'node:fs';

const FLAGS = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

interface Level {
  name: Buffer;
  dev: bigint;
  ino: bigint;
}

/**
 * Remove a file, or a directory with everything in it. Nothing happens when it is missing.
 * @param options for likeness with node:fs; removal is always recursive.
 * @throws Error with `code` as of unlink(2) and rmdir(2), e.g. EBUSY at a mount.
 */
export function removeTree(file: string | Buffer, _options?: { recursive: true; force?: true }): void {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    fs.unlinkSync(file);
    return;
  }
  emptyDirectory(file);
  fs.rmdirSync(file);
}

/** Remove everything in a directory. @throws as `removeTree`, after all else that can be removed is gone. */
export function emptyDirectory(directory: string | Buffer): void {
  eachBottomUp(directory, {
    file: (at) => fs.unlinkSync(at),
    directory: (at) => fs.rmdirSync(at),
  });
}

/** What is done with each thing on the way up. Paths lead through a descriptor and are good for this moment only. */
export interface Visit {
  /** Anything that is not a directory; left alone if absent. */
  file?(at: Buffer): void;
  /** A directory below the first one, after everything in it. */
  directory(at: Buffer): void;
  /** Any directory, the first one too, before what is in it. */
  before?(at: Buffer): void;
}

/** Visit a tree from the bottom. The first failure is thrown when everything has been visited. */
export function eachBottomUp(directory: string | Buffer, visit: Visit): void {
  let fd = fs.openSync(directory, FLAGS);
  let failure: Error | undefined;
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') failure ??= error as Error;
    }
  };
  /** What is still to be visited on each level, deepest last. */
  const waiting: Buffer[][] = [];
  const levels: Level[] = [];
  try {
    for (;;) {
      if (waiting.length === levels.length) {
        const here = fd;
        attempt(() => visit.before?.(below(here, '.')));
        waiting.push(subdirectories(here, (at) => attempt(() => visit.file?.(at))));
      }
      const name = waiting.at(-1)!.pop();
      if (name !== undefined) {
        const next = openBelow(fd, name);
        if (next === null) continue;
        const { dev, ino } = fs.fstatSync(fd, { bigint: true });
        levels.push({ name, dev, ino });
        fs.closeSync(fd);
        fd = next;
        continue;
      }
      const level = levels.pop();
      if (level === undefined) break;
      waiting.pop();
      fd = climb(fd, level);
      const here = fd;
      attempt(() => visit.directory(below(here, level.name)));
    }
  } finally {
    fs.closeSync(fd);
  }
  if (failure !== undefined) throw failure;
}

function subdirectories(fd: number, file: (at: Buffer) => void): Buffer[] {
  const found: Buffer[] = [];
  for (const name of fs.readdirSync(below(fd, '.'), { encoding: 'buffer' })) {
    const at = below(fd, name);
    const stat = fs.lstatSync(at, { throwIfNoEntry: false });
    if (stat?.isDirectory()) found.push(name);
    else if (stat !== undefined) file(at);
  }
  return found;
}

function openBelow(fd: number, name: Buffer): number | null {
  try {
    return fs.openSync(below(fd, name), FLAGS);
  } catch {
    return null; // It has gone, or has become something else: somebody still works here.
  }
}

/** Up by `..`, which leads elsewhere only if somebody moved the directory meanwhile. */
function climb(fd: number, { dev, ino }: Level): number {
  const up = fs.openSync(below(fd, '..'), FLAGS);
  const stat = fs.fstatSync(up, { bigint: true });
  if (stat.dev !== dev || stat.ino !== ino) {
    fs.closeSync(up);
    throw new Error('A directory was moved away while it was removed.');
  }
  fs.closeSync(fd);
  return up;
}

function below(fd: number, name: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), Buffer.from(name)]);
}
