/** Layers: a tar of changes, applied to a directory, and made from one. OCI image-spec, layer.md. */

import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { ByteReader } from '#contract/byte-reader';
import type { Applied, ApplyOptions, DiffOptions, TarHeader } from '#contract/layer';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '#kernel/nodes';
import { getXattr, setXattr } from '#kernel/xattr';

const BLOCK = 512;
const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

export function parseHeader(block: Uint8Array): TarHeader | null {
  if (block.every((byte) => byte === 0)) return null;
  const bytes = Buffer.from(block);
  if (numberAt(bytes, 148, 8) !== checksum(bytes)) throw new Error('This is not a tar header: its checksum is wrong.');
  const isUstar = bytes.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? textAt(bytes, 345, 155) : '';
  return {
    name: prefix === '' ? textAt(bytes, 0, 100) : `${prefix}/${textAt(bytes, 0, 100)}`,
    flag: String.fromCharCode(bytes[156]!),
    mode: numberAt(bytes, 100, 8),
    uid: numberAt(bytes, 108, 8),
    gid: numberAt(bytes, 116, 8),
    size: numberAt(bytes, 124, 12),
    mtime: numberAt(bytes, 136, 12),
    linkname: textAt(bytes, 157, 100),
    major: numberAt(bytes, 329, 8),
    minor: numberAt(bytes, 337, 8),
  };
}

/** Up to the first NUL, if there is one. */
function textAt(block: Buffer, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

/** Octal digits, or base 256 when the highest bit is set. */
function numberAt(block: Buffer, offset: number, length: number): number {
  const field = block.subarray(offset, offset + length);
  if (field[0]! & 0x80) {
    const value = BigInt.asIntN(length * 8 - 1, BigInt(`0x${field.toString('hex')}`));
    if (!Number.isSafeInteger(Number(value))) throw new Error(`A header has the number ${value}.`);
    return Number(value);
  }
  const digits = field.toString('latin1').replace(/^[ \0]+|[ \0].*$/gs, '');
  if (!/^[0-7]*$/.test(digits)) throw new Error(`A header has a number that is not octal: ${JSON.stringify(digits)}`);
  return Number.parseInt(digits || '0', 8);
}

/** The sum of all bytes, with blanks for the sum itself. */
function checksum(block: Buffer): number {
  return block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}

/** Records `LENGTH KEY=VALUE\n`; the length is that of the record. */
function parsePax(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(' ', at);
    const end = at + Number(content.toString('latin1', at, blank));
    const [, key, value] = /^([^=]+)=(.*)\n$/s.exec(content.toString('utf8', blank + 1, end)) ?? [];
    if (key === undefined || blank < 0 || !(end > blank) || end > content.length)
      throw new Error('An extended header is damaged.');
    records.set(key, value!);
    at = end;
  }
  return records;
}

export async function applyLayer(
  source: AsyncIterable<Uint8Array>,
  directory: string,
  options: ApplyOptions,
): Promise<Applied> {
  const bytes = new ByteReader(source);
  const unpacking = new Unpacking(directory, options);
  let pax: Map<string, string> | undefined;
  for (;;) {
    const block = await bytes.exactly(BLOCK);
    const header = block.length === 0 ? null : parseHeader(block);
    if (header === null) break;
    if (header.flag === 'x' || header.flag === 'g') {
      if (header.size < 0 || header.size > 1024 * 1024)
        throw new Error('An extended header of more than a mebibyte is refused.');
      const content = await bytes.exactly(header.size + padding(header.size));
      if (header.flag === 'x') pax = parsePax(content.subarray(0, header.size));
      continue;
    }
    await unpacking.entry(withRecords(header, pax ?? new Map()), bytes);
    pax = undefined;
  }
  if (pax !== undefined) throw new Error('The archive is cut off after an extended header.');
  while ((await bytes.some(1 << 20)).length > 0);
  unpacking.finish();
  return { size: unpacking.size, entries: unpacking.entries };
}

function withRecords(header: TarHeader, pax: Map<string, string>): TarHeader {
  const number = (key: 'uid' | 'gid' | 'size' | 'mtime') => {
    const text = pax.get(key);
    const value =
      text === undefined ? header[key] : /^-?\d+(\.\d*)?$/.test(text) ? Math.floor(Number(text)) : Number.NaN;
    if (!Number.isSafeInteger(value) || (key !== 'mtime' && value < 0))
      throw new Error(`"${header.name}" has the ${key} ${text ?? value}.`);
    return value;
  };
  return {
    ...header,
    name: pax.get('path') ?? header.name,
    linkname: pax.get('linkpath') ?? header.linkname,
    uid: number('uid'),
    gid: number('gid'),
    // Links, devices, directories and FIFOs have no content, whatever their headers say.
    size: '123456'.includes(header.flag) ? 0 : number('size'),
    mtime: number('mtime'),
  };
}

/** One archive on its way into one directory. */
class Unpacking {
  size = 0;
  entries = 0;
  readonly #root: string;
  readonly #options: ApplyOptions;
  readonly #ownership: boolean;
  /** What this layer has made, with the directories it is in: its own whiteouts leave it alone. */
  readonly #made = new Set<string>();
  /** What a whiteout came for. */
  readonly #hidden = new Set<string>();
  /** Get their owner, mode and time at the end: what is made in them later would change it. */
  readonly #directories = new Map<string, TarHeader>();

  constructor(root: string, options: ApplyOptions) {
    this.#root = root;
    this.#options = options;
    this.#ownership = options.ownership ?? process.geteuid?.() === 0;
  }

  async entry(header: TarHeader, bytes: ByteReader): Promise<void> {
    this.entries += 1;
    const parts = partsOf(header.name);
    const name = parts.pop();
    if (name === undefined) {
      if (header.flag !== '5') throw new Error('The root of a layer is a directory.');
      this.#directories.set(this.#root, header);
      return;
    }
    if (parts.some((part) => part.startsWith('.wh..wh.'))) return await skip(bytes, header);
    if (parts.some((part) => part.startsWith('.wh.'))) throw new Error(`"${header.name}" is below a whiteout.`);
    const parent = this.#directory(parts);
    if (!name.startsWith('.wh.')) return await this.#make(join(parent, name), header, bytes);
    this.#whiteout(parent, name);
    await skip(bytes, header);
  }

  finish(): void {
    const deepestFirst = [...this.#directories].sort(([a], [b]) => b.length - a.length);
    for (const [path, header] of deepestFirst) this.#describe(path, header);
  }

  /** The real directory of these names, made if it is missing; links are followed inside of the root only. */
  #directory(parts: string[]): string {
    const todo = [...parts];
    const done: string[] = [];
    for (let links = 0; todo.length > 0; ) {
      const part = todo.shift()!;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (done.pop() === undefined) throw new Error('A symbolic link leads out of the layer.');
        continue;
      }
      const path = join(this.#root, ...done, part);
      // What a whiteout has removed may come again.
      if (this.#isWhiteout(path)) rmSync(path);
      const info = lstatSync(path, { throwIfNoEntry: false });
      if (info?.isSymbolicLink()) {
        if (++links > 40) throw new Error('Symbolic links lead in circles.');
        const target = readlinkSync(path);
        if (target.startsWith('/')) done.length = 0;
        todo.unshift(...target.split('/'));
        continue;
      }
      if (info && !info.isDirectory()) throw new Error(`${path} is not a directory.`);
      if (!info) {
        if (links > 0) throw new Error(`A symbolic link leads to ${path}, which is not there.`);
        mkdirSync(path, 0o755);
        if (this.#hidden.has(path)) this.#opaque(path);
        this.#isMade(path);
      }
      done.push(part);
    }
    return join(this.#root, ...done);
  }

  async #make(path: string, header: TarHeader, bytes: ByteReader): Promise<void> {
    const { flag } = header;
    if (flag === '1') {
      const parts = partsOf(header.linkname);
      const name = parts.pop() ?? '.';
      const target = join(this.#directory(parts), name);
      if (this.#isWhiteout(target)) throw new Error(`${header.linkname} is not in this layer.`);
      if (lstatSync(target).isDirectory()) throw new Error(`${header.linkname} is a directory: it has one name only.`);
      if (target !== path) {
        this.#clear(path, false);
        linkSync(target, path);
      }
      this.#isMade(path);
      return;
    }
    this.#clear(path, flag === '5');
    if (flag === '5') {
      if (mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined && this.#hidden.has(path)) this.#opaque(path);
      this.#directories.set(path, header);
    } else if (flag === '0' || flag === '\0' || flag === '7') await this.#file(path, header, bytes);
    else if (flag === '2') symlinkSync(header.linkname, path);
    else if (flag === '6') mknod(path, S_IFIFO | 0o600);
    else if (flag === '3' || flag === '4') this.#device(path, header);
    else throw new Error(`${header.name} is of a kind that layers do not have: ${flag}`);
    this.#isMade(path);
    if (flag !== '5') this.#describe(path, header);
  }

  async #file(path: string, header: TarHeader, bytes: ByteReader): Promise<void> {
    const file = openSync(path, 'wx', 0o600);
    try {
      for (let left = header.size; left > 0; ) {
        const part = await bytes.some(left);
        if (part.length === 0) throw new Error(`The archive is cut off in ${header.name}.`);
        writeSync(file, part);
        left -= part.length;
      }
    } finally {
      closeSync(file);
    }
    await bytes.exactly(padding(header.size));
    this.size += header.size;
  }

  #device(path: string, { name, flag, major, minor }: TarHeader): void {
    if (!this.#ownership) throw new Error(`${name} is a device node, which only root can make.`);
    if (flag === '3' && major === 0 && minor === 0) throw new Error(`${name} looks like overlayfs's own whiteout.`);
    mknod(path, (flag === '4' ? S_IFBLK : S_IFCHR) | 0o600, makedev(major, minor));
  }

  /** chown(2) takes the set-user-ID bit away, so the mode comes after it. */
  #describe(path: string, { flag, uid, gid, mode, mtime }: TarHeader): void {
    if (this.#ownership) lchownSync(path, uid, gid);
    if (flag !== '2') chmodSync(path, mode & 0o7777);
    // A Date, since a number below 0 is "now" to Node.
    lutimesSync(path, new Date(mtime * 1000), new Date(mtime * 1000));
  }

  #whiteout(parent: string, name: string): void {
    if (name === '.wh..wh..opq') {
      this.#opaque(parent);
      return;
    }
    if (name.startsWith('.wh..wh.')) return;
    const hidden = name.slice('.wh.'.length);
    if (['', '.', '..'].includes(hidden)) throw new Error(`The whiteout "${name}" names no file.`);
    const path = join(parent, hidden);
    this.#hidden.add(path);
    if (this.#options.whiteouts === 'remove') this.#removeLower(path);
    else if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) this.#opaque(path);
    else if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mknod(path, S_IFCHR);
  }

  /** In overlayfs's form. */
  #isWhiteout(path: string): boolean {
    const info = this.#hidden.has(path) ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
    return info?.isCharacterDevice() === true && info.rdev === 0;
  }

  #opaque(directory: string): void {
    if (this.#options.whiteouts === 'remove')
      for (const name of readdirSync(directory)) this.#removeLower(join(directory, name));
    else setXattr(directory, `${this.#ownership ? 'trusted' : 'user'}.overlay.opaque`, Buffer.from('y'));
  }

  /** Remove what this layer has not made, which may be above what it has. */
  #removeLower(path: string): void {
    if (!this.#made.has(path)) rmSync(path, { recursive: true, force: true });
    else if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) this.#removeLower(join(path, name));
  }

  /** What stands at a name goes before something else is made there; only a directory stays for a directory. */
  #clear(path: string, forDirectory: boolean): void {
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (!info || (forDirectory && info.isDirectory())) return;
    rmSync(path, { recursive: true });
    for (const directory of this.#directories.keys())
      if (`${directory}/`.startsWith(`${path}/`)) this.#directories.delete(directory);
  }

  #isMade(path: string): void {
    for (let at = path; at !== this.#root; at = join(at, '..')) this.#made.add(at);
  }
}

/** Pass over the content of an entry. */
async function skip(bytes: ByteReader, { name, size }: TarHeader): Promise<void> {
  for (let left = size + padding(size); left > 0; ) {
    const part = await bytes.some(left);
    if (part.length === 0) throw new Error(`The archive is cut off in ${name}.`);
    left -= part.length;
  }
}

/** @throws Error for what leads out by its name alone. */
function partsOf(name: string): string[] {
  if (name.startsWith('/')) throw new Error(`"${name}" is an absolute path.`);
  if (name.includes('\0')) throw new Error('A name has a NUL in it.');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Error(`"${name}" climbs.`);
  return parts;
}

export function* diffLayer(upper: string, { exclude = () => false }: DiffOptions = {}): Generator<Uint8Array> {
  const first = new Map<string, string>();
  function* below(directory: string): Generator<Uint8Array> {
    if (isOpaque(join(upper, directory))) yield* marker(join(directory, '.wh..wh..opq'));
    for (const name of readdirSync(join(upper, directory)).sort(byBytes)) {
      const path = join(directory, name);
      const info = lstatSync(join(upper, path));
      if (exclude(path) || name.startsWith('.wh.') || info.isSocket()) continue;
      if (info.isCharacterDevice() && info.rdev === 0) {
        yield* marker(join(directory, `.wh.${name}`));
        continue;
      }
      const inode = `${info.dev}:${info.ino}`;
      const target = info.isDirectory() || info.nlink < 2 ? undefined : first.get(inode);
      if (target === undefined) first.set(inode, path);
      yield* packEntry(join(upper, path), path, info, target);
      if (info.isDirectory()) yield* below(path);
    }
  }
  yield* below('');
  yield Buffer.alloc(2 * BLOCK);
}

/** In the order of their bytes, which no locale changes. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function isOpaque(directory: string): boolean {
  return ['trusted', 'user'].some((space) => `${getXattr(directory, `${space}.overlay.opaque`)}` === 'y');
}

function marker(path: string): Generator<Uint8Array> {
  return pack({ ...EMPTY, name: path, flag: '0' }, Buffer.alloc(0));
}

const EMPTY: TarHeader = {
  name: '',
  flag: '0',
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  linkname: '',
  major: 0,
  minor: 0,
};

function packEntry(absolute: string, path: string, info: Stats, target?: string): Generator<Uint8Array> {
  const flag = target === undefined ? flagOf(info) : '1';
  const content = flag === '0' ? readFileSync(absolute) : Buffer.alloc(0);
  const isDevice = flag === '3' || flag === '4';
  const header: TarHeader = {
    name: flag === '5' ? `${path}/` : path,
    flag,
    mode: info.mode & 0o7777,
    uid: info.uid,
    gid: info.gid,
    size: content.length,
    mtime: Math.floor(info.mtimeMs / 1000),
    linkname: target ?? (flag === '2' ? readlinkSync(absolute) : ''),
    major: isDevice ? (info.rdev >>> 8) & 0xfff : 0,
    minor: isDevice ? (info.rdev & 0xff) | ((info.rdev >>> 12) & 0xfff00) : 0,
  };
  return pack(header, content);
}

function flagOf(info: Stats): string {
  if (info.isDirectory()) return '5';
  if (info.isSymbolicLink()) return '2';
  if (info.isFIFO()) return '6';
  if (info.isFile()) return '0';
  return info.isBlockDevice() ? '4' : '3';
}

/** Header and content, filled up to whole blocks; before it a pax header for what does not fit. */
function* pack(header: TarHeader, content: Buffer): Generator<Uint8Array> {
  const records: string[] = [];
  const inHeader = { ...header };
  const move = (key: string, field: 'uid' | 'gid' | 'size' | 'mtime', most: number) => {
    if (header[field] >= 0 && header[field] <= most) return;
    records.push(record(key, String(header[field])));
    inHeader[field] = 0;
  };
  move('gid', 'gid', 0o7777777);
  if (Buffer.byteLength(header.linkname) > 100) records.push(record('linkpath', header.linkname));
  move('mtime', 'mtime', 0o77777777777);
  if (Buffer.byteLength(header.name) > 100) records.push(record('path', header.name));
  move('size', 'size', 0o77777777777);
  move('uid', 'uid', 0o7777777);
  if (records.length > 0) {
    const pax = Buffer.from(records.join(''));
    yield block({ ...EMPTY, name: 'PaxHeader', flag: 'x', mode: 0o644, size: pax.length });
    yield pax;
    yield Buffer.alloc(padding(pax.length));
  }
  yield block(inHeader);
  yield content;
  yield Buffer.alloc(padding(content.length));
}

function record(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  const digits = String(rest + String(rest).length).length;
  return `${rest + digits} ${key}=${value}\n`;
}

function block(header: TarHeader): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, length: number) =>
    bytes.write(value.toString(8).padStart(length - 1, '0'), offset, length - 1);
  Buffer.from(header.name).copy(bytes, 0, 0, 100);
  octal(header.mode, 100, 8);
  octal(header.uid, 108, 8);
  octal(header.gid, 116, 8);
  octal(header.size, 124, 12);
  octal(header.mtime, 136, 12);
  bytes.write(header.flag, 156);
  Buffer.from(header.linkname).copy(bytes, 157, 0, 100);
  bytes.write('ustar\x0000', 257);
  octal(header.major, 329, 8);
  octal(header.minor, 337, 8);
  bytes.write(`${checksum(bytes).toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}
