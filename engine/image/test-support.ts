/** For the tests of this room. */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Ajv } from 'ajv';
import { onTestFinished, vi } from 'vitest';

// Every stored blob is an fsync, which a disk that others keep busy can take a second for.
vi.setConfig({ testTimeout: 60_000 });

export const isRoot = process.geteuid?.() === 0;

/** A directory that is gone when the test is over. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'skiff-image-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function hasProgram(name: string): boolean {
  return spawnSync('which', [name]).status === 0;
}

/** Standard output of a command. What it writes to standard error is in the Error when it fails. */
export function run(command: string, args: string[], options: { input?: Buffer; cwd?: string } = {}): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26, ...options });
}

/** One of the programs in testdata, as a process that is gone when the test is over. */
export function startProgram(name: string, args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'testdata', name), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // The test that kills it does not mind that it no longer reads.
  child.stdin.on('error', () => {});
  const ended = new Promise<{ code: number | null; signal: string | null }>((done) => {
    child.once('exit', (code, signal) => done({ code, signal }));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { child, ended };
}

/** What a tree is, entry by entry: kind, mode, owner, time (s), link target, content; hard links by their first name. */
export function describeTree(root: string): Record<string, string> {
  const described: Record<string, string> = {};
  const inodes = new Map<string, string>();
  const visit = (path: string) => {
    const info = lstatSync(join(root, path), { bigint: true });
    const kind = Number(info.mode) & 0o170000;
    const facts = [
      `mode=${info.mode.toString(8)}`,
      `owner=${info.uid}:${info.gid}`,
      `mtime=${info.mtimeNs / 1_000_000_000n}`,
    ];
    if (info.isSymbolicLink()) facts.push(`target=${readlinkSync(join(root, path))}`);
    if (info.isFile()) facts.push(`content=${readFileSync(join(root, path)).toString('base64')}`);
    if (kind === 0o020000 || kind === 0o060000) facts.push(`device=${info.rdev}`);
    const first = inodes.get(`${info.ino}`);
    if (!info.isDirectory() && first !== undefined) facts.push(`same as ${first}`);
    else inodes.set(`${info.ino}`, path);
    described[path] = facts.join(' ');
    if (info.isDirectory()) for (const name of readdirSync(join(root, path)).sort()) visit(join(path, name));
  };
  visit('.');
  return described;
}

/** Fails with the schema's own complaint unless `document` is what the specification's schema `name` describes. */
export function expectValid(name: string, document: unknown): void {
  if (!ajv.validate(name, document)) throw new Error(`${name}: ${ajv.errorsText()}\n${JSON.stringify(document)}`);
}

const ajv = schemas();

function schemas(): Ajv {
  const validator = new Ajv({ strict: false, validateFormats: false });
  const directory = join(import.meta.dirname, 'testdata');
  for (const name of readdirSync(directory).filter((each) => each.endsWith('.json'))) {
    validator.addSchema(withoutIds(JSON.parse(readFileSync(join(directory, name), 'utf8'))), name);
  }
  return validator;
}

/** They are draft-04, whose `id` this validator does not know; references between the files are by file name. */
function withoutIds(schema: unknown): object {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  );
}

/** A tar of any entries, hostile ones too, written by hand: 512-byte headers in ustar form. */
export function rawTar(...entries: RawEntry[]): Buffer {
  return Buffer.concat([...entries.map(rawEntry), Buffer.alloc(1024)]);
}

export interface RawEntry {
  name: string;
  /** `0` file, `1` hard link, `2` symbolic link, `3` character device, `5` directory, …; a file by default. */
  type?: string;
  linkname?: string;
  content?: string | Buffer;
  mode?: number;
  uid?: number;
  device?: [major: number, minor: number];
}

function rawEntry({
  name,
  type = '0',
  linkname = '',
  content = '',
  mode = 0o644,
  uid = 0,
  device = [0, 0],
}: RawEntry): Buffer {
  const header = Buffer.alloc(512);
  const body = Buffer.from(content);
  header.write(name, 0, 100);
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write(`${uid.toString(8).padStart(7, '0')}\0`, 108);
  header.write(`${'0'.repeat(7)}\0`, 116);
  header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(`${'0'.repeat(11)}\0`, 136);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write(linkname, 157, 100);
  header.write('ustar\x0000', 257);
  header.write(`${device[0].toString(8).padStart(7, '0')}\0`, 329);
  header.write(`${device[1].toString(8).padStart(7, '0')}\0`, 337);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

export function bytesOf(stream: Readable): Promise<Buffer> {
  return buffer(stream);
}
