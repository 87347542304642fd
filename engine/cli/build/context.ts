/** The context of a build as the archive that the daemon is sent. */

import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import ignore, { type Ignore } from '@balena/dockerignore';
import { type Header, pack } from 'tar-stream';
import { CliError, errorText } from '../errors.ts';

export interface BuildContext {
  /** A tar. */
  content: Readable;
  /** The Dockerfile's path in it. */
  dockerfile: string;
}

/** What the daemon is sent for `skiff build -f FILE PATH`. @throws CliError when something is not there or not readable */
export function directoryContext(directory: string, file: string | undefined): BuildContext {
  const root = path.resolve(directory);
  if (!fs.statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new CliError(
      `unable to prepare context: path "${directory}" not found; give a directory, or - for standard input`,
    );
  const dockerfile = file === undefined ? path.join(root, 'Dockerfile') : path.resolve(file);
  const name = path.relative(root, dockerfile);
  if (!fs.existsSync(dockerfile))
    throw new CliError(
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: ${dockerfile} is not there; name it with -f`,
    );
  const matcher = readIgnore(root, name);
  // One from elsewhere travels along under a name that nothing else has.
  const outside = name.startsWith('..') ? `.dockerfile.${process.pid}` : undefined;
  const entries = function* (): Generator<Entry> {
    yield* walk(root, '', matcher, new Set([name, '.dockerignore', `${name}.dockerignore`]));
    if (outside !== undefined) yield { name: outside, content: fs.readFileSync(dockerfile) };
  };
  return { content: archive(root, entries()), dockerfile: outside ?? name };
}

/** A Dockerfile alone. */
export function textContext(text: Buffer): BuildContext {
  return { content: archive('', [{ name: 'Dockerfile', content: text }]), dockerfile: 'Dockerfile' };
}

interface Entry {
  /** Relative, with `/`. */
  name: string;
  /** Instead of the file of that name. */
  content?: Buffer;
}

/** `<Dockerfile>.dockerignore` before `.dockerignore`. */
function readIgnore(root: string, dockerfile: string): { matcher: Ignore; exceptions: boolean } | undefined {
  for (const name of [`${dockerfile}.dockerignore`, '.dockerignore']) {
    const file = path.join(root, name);
    if (!fs.existsSync(file)) continue;
    const rules = fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
    return { matcher: ignore({ ignorecase: false }).add(rules), exceptions: /^\s*!/m.test(rules) };
  }
  return undefined;
}

/** Sorted. @param always what is sent although it is ignored: the daemon reads it, and leaves it out of copies */
function* walk(
  root: string,
  below: string,
  rules: ReturnType<typeof readIgnore>,
  always: Set<string>,
): Generator<Entry> {
  for (const each of fs
    .readdirSync(path.join(root, below), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = below === '' ? each.name : `${below}/${each.name}`;
    const ignored = rules !== undefined && !always.has(name) && rules.matcher.ignores(name);
    if (!ignored) yield { name };
    // An ignored directory may have exceptions in it, or the Dockerfile.
    const mayHold = rules?.exceptions || [...always].some((kept) => kept.startsWith(`${name}/`));
    if (each.isDirectory() && (!ignored || mayHold)) yield* walk(root, name, rules, always);
  }
}

function archive(root: string, entries: Iterable<Entry>): Readable {
  const tar = pack();
  const write = async () => {
    for (const { name, content } of entries) {
      if (content) await add({ name, mode: 0o644, size: content.length, mtime: new Date(0) }, Readable.from([content]));
      else await addFile(path.join(root, name), name);
    }
    tar.finalize();
  };
  const add = async (header: Partial<Header> & { name: string }, content?: Readable) => {
    if (content) return await pipeline(content, tar.entry(header));
    await new Promise<void>((resolve, reject) => {
      tar.entry(header, (error) => (error ? reject(error) : resolve()));
    });
  };
  const addFile = async (file: string, name: string) => {
    const info = fs.lstatSync(file);
    const { size, mtime } = info;
    // tar-stream takes a mode of 0 for none.
    const header = { name, mode: (info.mode & 0o7777) | 0o10000, mtime };
    if (info.isDirectory()) await add({ ...header, name: `${name}/`, type: 'directory' });
    else if (info.isSymbolicLink()) await add({ ...header, type: 'symlink', linkname: fs.readlinkSync(file) });
    else if (info.isFile())
      await add(
        { ...header, type: 'file', size },
        size === 0 ? Readable.from([]) : fs.createReadStream(file, { end: size - 1 }),
      );
  };
  write().catch((error) => tar.destroy(new CliError(`the build context cannot be read: ${errorText(error)}`)));
  return Readable.from(tar);
}
