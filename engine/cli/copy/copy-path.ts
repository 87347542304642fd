/** Paths as `docker cp` means them: what a slash or a dot at the end says, and what an archive's entries are called. */

import path from 'node:path';

/** One end of a copy. */
export interface CopyInfo {
  path: string;
  exists: boolean;
  isDirectory: boolean;
  /** What its archive's entries are to be called instead, after a link to it was followed; empty for no other name. */
  rebaseName: string;
}

/** `CONTAINER:PATH`, or a path of this machine. One that begins with `/` or `.` is this machine's, whatever else is in it. */
export function splitArgument(argument: string): { container: string; path: string } {
  const colon = argument.indexOf(':');
  if (path.isAbsolute(argument) || colon === -1 || argument.startsWith('.')) return { container: '', path: argument };
  return { container: argument.slice(0, colon), path: argument.slice(colon + 1) };
}

export function endsWithSlash(name: string): boolean {
  return name.endsWith('/');
}

/** `.` at the end asks for what is in a directory. */
export function endsWithDot(name: string): boolean {
  return path.basename(name) === '.' || /(^|\/)\.$/.test(name);
}

export function assertsDirectory(name: string): boolean {
  return endsWithSlash(name) || endsWithDot(name);
}

/** Made absolute, and it ends as it did. */
export function absolutePath(name: string): string {
  return withEndOf(path.resolve(name), name);
}

/** `cleaned` with the slash or dot that `original` has at its end. */
export function withEndOf(cleaned: string, original: string): string {
  if (endsWithDot(original)) return cleaned.endsWith('/') ? `${cleaned}.` : `${cleaned}/.`;
  return endsWithSlash(original) && !cleaned.endsWith('/') ? `${cleaned}/` : cleaned;
}

/** The directory that something is in, and its name there, which is `.` for a directory's content. */
export function splitEntry(name: string): { directory: string; base: string } {
  const cleaned = path.posix.normalize(name).replace(/(?<=.)\/+$/, '');
  const whole = endsWithDot(name) && !endsWithDot(cleaned) ? withEndOf(cleaned, '/.') : cleaned;
  const slash = whole.lastIndexOf('/') + 1;
  return { directory: whole.slice(0, slash), base: whole.slice(slash) };
}

/** Where an archive is unpacked, and how the first part of its entries' names changes. */
export interface CopyPlan {
  directory: string;
  rename: (name: string) => string;
}

/** What cannot be copied, in Docker's words. */
export class CannotCopy extends Error {
  override readonly name = 'CannotCopy';
}

/** What a copy of `source` to `destination` comes to. @throws CannotCopy */
export function planCopy(source: CopyInfo, destination: CopyInfo): CopyPlan {
  if (destination.exists && destination.isDirectory) return { directory: destination.path, rename: (name) => name };
  if (destination.exists && source.isDirectory) throw new CannotCopy('cannot copy directory');
  if (!destination.exists && !source.isDirectory && assertsDirectory(destination.path))
    throw new CannotCopy('no such directory');
  const { directory, base } = splitEntry(destination.path);
  return { directory, rename: rebase(source.rebaseName || splitEntry(source.path).base, base) };
}

/** The entries below `from` are called as if they were below `to`. */
export function rebase(from: string, to: string): (name: string) => string {
  const old = from === '/' ? '' : from;
  return (name) => {
    if (old === '' || old === '.') return `${to}/${name.replace(/^\.?\/?/, '')}`.replace(/(?<=.)\/$/, '');
    if (name === old) return to;
    return name.startsWith(`${old}/`) ? `${to}${name.slice(old.length)}` : name;
  };
}
