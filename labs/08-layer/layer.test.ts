import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ArchiveEntry, packEntries } from '../../engine/image/archive.ts';
import { applyLayer as referenceApply } from '../../engine/image/layer.ts';
import { upperEntries } from '../../engine/image/layer-diff.ts';
import { formatPax } from '../../engine/image/pax.ts';
import { writeHeader } from '../../engine/image/tar-header.ts';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT } from '../../engine/kernel/nodes.ts';
import { getXattr, setXattr } from '../../engine/kernel/xattr.ts';
import { idMap, nonce } from '../../grader/harness/evidence.ts';
import {
  type BigIntStats,
  chmodSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from '../../grader/harness/files.ts';
import { inside } from '../../grader/harness/inside.ts';
import { draw } from '../../grader/harness/random.ts';
import { SubjectError } from '../../grader/harness/subject-error.ts';
import { openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';
import { traceSyscalls } from '../../grader/harness/trace-syscalls.ts';

let subject: Subject | undefined;
beforeAll(async () => {
  subject = await openSubject({ patience: 25_000 });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const call = async (name: string, ...args: unknown[]): Promise<unknown> => subject!.call(name, ...args);

/** The call has to throw, and of its own accord. */
async function refused(what: string, name: string, ...args: unknown[]): Promise<void> {
  const outcome = await call(name, ...args).catch((error: Error) => error);
  if (!(outcome instanceof Error)) throw new Error(`${what}: ${name}() should throw, and it returned instead.`);
  if (!(outcome instanceof SubjectError) || outcome.name === 'NotImplemented') throw outcome;
}

// ---- archives ----

const anyTime = () => new Date(draw.int(1, 2 ** 31 - 1) * 1000);
const anyBytes = (most = 1500) => draw.bytes(draw.int(0, most));
/** Names that differ from each other and from those of every other run. */
const anyNames = (count: number) => Array.from({ length: count }, (_, index) => `${draw.word(4)}${index}`);

const file = (path: string, content: string | Uint8Array = path, more: object = {}): ArchiveEntry => ({
  type: 'file',
  path,
  content,
  mode: 0o644,
  mtime: anyTime(),
  ...more,
});
const directory = (path: string, more: object = {}): ArchiveEntry => ({
  type: 'directory',
  path,
  mode: 0o755,
  mtime: anyTime(),
  ...more,
});
const symlink = (path: string, target: string): ArchiveEntry => ({
  type: 'symlink',
  path,
  target,
  mode: 0o777,
  mtime: anyTime(),
});
const hardLink = (path: string, target: string): ArchiveEntry => ({
  type: 'link',
  path,
  target,
  mode: draw.int(0, 0o777),
  mtime: anyTime(),
});
const whiteout = (path: string) => file(path, '', { mode: 0 });
const tarOf = (...entries: ArchiveEntry[]) => Buffer.concat([...packEntries(entries)]);
const BLOCK = 512;
const END = Buffer.alloc(2 * BLOCK);
/** The same without the zeros at its end, to be put together with other parts. */
const partOf = (...entries: ArchiveEntry[]) => tarOf(...entries).subarray(0, -END.length);

interface HeaderFields {
  name: string;
  flag: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  linkname: string;
  major: number;
  minor: number;
}

function headerBlock(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  writeHeader(block, {
    ...fields,
    name: Buffer.from(fields.name),
    linkname: Buffer.from(fields.linkname),
    device: fields,
  });
  return block;
}

/** Change bytes of a header block, and make its checksum right again. */
function patched(block: Buffer, offset: number, bytes: Buffer): Buffer {
  const changed = Buffer.from(block);
  bytes.copy(changed, offset);
  const sum = changed.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return changed;
}

const randomHeader = (flag = '0'): HeaderFields => ({
  name: `dir/${nonce()}`,
  flag,
  mode: draw.int(0, 0o7777),
  uid: draw.int(0, 0o7777777),
  gid: draw.int(0, 0o7777777),
  size: '12345'.includes(flag) ? 0 : draw.int(0, 2 ** 33 - 1),
  mtime: draw.int(0, 2 ** 33 - 1),
  linkname: '12'.includes(flag) ? nonce() : '',
  major: '34'.includes(flag) ? draw.int(1, 4095) : 0,
  minor: '34'.includes(flag) ? draw.int(0, 2 ** 20 - 1) : 0,
});

/** An entry that no archiver of ours would write: a header with these fields, and content that need not fit it. */
function rawEntry(fields: Partial<HeaderFields>, content: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.from(content);
  const header = headerBlock({
    ...{ name: nonce(), flag: '0', mode: 0o644, uid: 0, gid: 0, linkname: '', major: 0, minor: 0 },
    ...{ mtime: draw.int(1, 2 ** 31), size: bytes.length },
    ...fields,
  });
  return Buffer.concat([header, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

const paxHeader = (records: [string, string][], flag: 'x' | 'g' = 'x') =>
  rawEntry({ name: 'PaxHeader', flag }, formatPax(new Map(records)));

// ---- trees ----

/** How the judge looks at a tree: through the kernel, with nothing of it followed out. */
interface Eyes {
  list(path: string): string[];
  lstat(path: string): BigIntStats;
  readlink(path: string): string;
  content(path: string): Buffer;
  /** An owner as the subject would call it. */
  id(hostId: bigint): number;
}

const own: Eyes = {
  list: (path) => readdirSync(path),
  lstat: (path) => lstatSync(path, { bigint: true }),
  readlink: (path) => readlinkSync(path),
  content: (path) => readFileSync(path),
  id: Number,
};

function subjectsEyes(): Eyes {
  if (!existsSync('/proc/self/root')) return own;
  const tree = inside(subject!.pid);
  return {
    list: tree.list,
    lstat: tree.lstat,
    readlink: tree.readlink,
    content: (path) => Buffer.from(tree.read(path), 'latin1'),
    id: (hostId) => Number(hostId - base()),
  };
}

const isSandboxed = () => subject!.scratch.startsWith('/slot');
const base = () => BigInt(isSandboxed() ? idMap(subject!.pid, 'uid')[0]!.hostID : 0);
/** Whether the subject may give files away. */
const hasManyIds = () => isSandboxed() && idMap(subject!.pid, 'uid').reduce((sum, { size }) => sum + size, 0) > 4096;
const judgeIsRoot = process.geteuid?.() === 0;

interface Look {
  owners: boolean;
  /** Directories that an entry describes: nothing else is known of the others' modes, times and owners. */
  described: (path: string) => boolean;
}

/** Each entry with all that is known of it; the names of one file say so. */
function describeTree(eyes: Eyes, root: string, { owners, described }: Look): Record<string, string> {
  const tree: Record<string, string> = {};
  const first = new Map<bigint, string>();
  const visit = (path: string) => {
    const info = eyes.lstat(join(root, path));
    const facts: string[] = [kindOf(info)];
    if (!info.isDirectory() || described(path)) {
      facts.push(`time ${info.mtimeNs / 1_000_000_000n}`);
      if (!info.isSymbolicLink()) facts.push(`mode ${(info.mode & 0o7777n).toString(8)}`);
      if (owners) facts.push(`owner ${eyes.id(info.uid)}:${eyes.id(info.gid)}`);
    } else if ((info.mode & 0o7022n) !== 0n) facts.push(`mode ${(info.mode & 0o7777n).toString(8)}`);
    if (info.isSymbolicLink()) facts.push(`to ${eyes.readlink(join(root, path))}`);
    if (info.isFile()) {
      const sum = createHash('sha256')
        .update(eyes.content(join(root, path)))
        .digest('hex');
      facts.push(`${info.size} bytes, sha256 ${sum.slice(0, 16)}`);
    }
    if (info.isCharacterDevice()) facts.push(`device ${info.rdev}`);
    const same = info.isDirectory() ? undefined : first.get(info.ino);
    if (same !== undefined) facts.push(`the same file as ${same}`);
    else first.set(info.ino, path);
    tree[path] = facts.join(', ');
    if (info.isDirectory()) for (const name of eyes.list(join(root, path)).sort()) visit(join(path, name));
  };
  visit('.');
  return tree;
}

function kindOf(info: BigIntStats): string {
  if (info.isDirectory()) return 'directory';
  if (info.isSymbolicLink()) return 'symbolic link';
  if (info.isFIFO()) return 'FIFO';
  return info.isFile() ? 'file' : 'device';
}

/** A fresh place in the subject's scratch: the target of layers, and beside it what nothing may touch. */
function place(): { target: string; beside: string; untouched: () => void } {
  const name = nonce();
  const scratch = subject!.outsidePath(subject!.scratch);
  const beside = join(scratch, name, 'layer-beside');
  mkdirSync(join(beside, 'e'), { recursive: true });
  writeFileSync(join(beside, 'victim'), 'untouched');
  writeFileSync(join(beside, 'e/x'), 'untouched');
  for (const path of [beside, join(scratch, name)]) chmodSync(path, 0o777);
  chmodSync(join(beside, 'victim'), 0o666);
  if (judgeIsRoot && isSandboxed()) for (const path of ['', 'e', 'e/x', 'victim']) giveTo(join(beside, path));
  chmodSync(join(beside, 'e'), 0o700);
  lutimesSync(join(beside, 'victim'), 1e9, 1e9);
  const look = () => ({
    ...describeTree(own, beside, { owners: true, described: (path) => path === 'e' }),
    '.': readdirSync(beside).sort().join(),
    'names of victim': `${lstatSync(join(beside, 'victim')).nlink}`,
    'mode of .': (lstatSync(beside).mode & 0o7777).toString(8),
  });
  const before = look();
  return {
    target: `${subject!.scratch}/${name}/layer`,
    beside: `${subject!.scratch}/${name}/layer-beside`,
    untouched: () => expect(look(), 'what lies beside the directory of the layer').toEqual(before),
  };
}

const giveTo = (path: string) => lchownSync(path, Number(base()), Number(base()));

/** Names of the directories that a tar's own entries describe. */
function directoriesIn(tar: Buffer): Set<string> {
  const found = new Set<string>();
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const block = tar.subarray(at, at + BLOCK);
    const name = block.toString('utf8', 0, 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(block.toString('latin1', 124, 135), 8);
    const isDirectory = block[156] === 0x35;
    if (isDirectory) found.add(join(name.replace(/\/+$/, '')) || '.');
    at += BLOCK + ('123456'.includes(String.fromCharCode(block[156]!)) ? 0 : Math.ceil(size / BLOCK) * BLOCK);
  }
  return found;
}

interface Expected {
  chunkSize?: number;
  /** Entries that the answer must count; not looked at if absent. */
  entries?: number;
  /** Archives for the engine, where other bytes have to make the same tree. */
  as?: Buffer[];
}

/** Apply layers by the subject and by the engine, and compare what became of them, entry by entry. */
async function sameAsReference(tars: Buffer[], more: Expected = {}): Promise<Record<string, string>> {
  const { target, untouched } = place();
  const owners = hasManyIds() && judgeIsRoot;
  const options = { whiteouts: 'remove' as const, ownership: owners };
  const { chunkSize = draw.int(1, 3000) } = more;
  const answer = await call('applyLayers', { tars, directory: target, options, chunkSize });
  const reference = mkdtempSync(join(tmpdir(), 'skiff-layer-'));
  onTestFinished(() => rmSync(reference, { recursive: true, force: true }));
  let applied = { size: 0, entries: 0 };
  for (const tar of more.as ?? tars) applied = await referenceApply(Readable.from([tar]), reference, options);
  expect(answer, 'what applyLayer answers for the last archive').toEqual({ ...applied, readToTheEnd: true });
  const directories = directoriesIn((more.as ?? tars).at(-1)!);
  const look = { owners, described: (path: string) => directories.has(path) };
  const expected = describeTree(own, reference, look);
  const actual = describeTree(subjectsEyes(), target, look);
  // The root is described by an entry of its own or not at all.
  if (!directories.has('.')) for (const tree of [expected, actual]) delete tree['.'];
  expect(actual, 'the tree').toEqual(expected);
  untouched();
  return expected;
}

describe('headers', () => {
  test('task 1: a header of every kind is read to the field', async () => {
    for (const flag of draw.some(['0', '1', '2', '3', '4', '5', '6', 'x', '\0'])) {
      const fields = randomHeader(flag);
      expect(await call('parseHeader', headerBlock(fields))).toEqual(fields);
    }
    const full = { ...randomHeader('2'), name: draw.word(100), linkname: draw.word(100) };
    expect(await call('parseHeader', headerBlock(full)), 'fields without a NUL at their end').toEqual(full);
  });

  test('task 1: numbers are octal or base 256, and larger than 31 bits', async () => {
    const fields = randomHeader();
    const size = 2 ** 31 + draw.int(0, 2 ** 31);
    expect(await call('parseHeader', headerBlock({ ...fields, size })), 'octal').toMatchObject({ size });
    const large = 2 ** 40 + draw.int(0, 2 ** 31);
    const inBase256 = (value: bigint, length = 12) => {
      const bytes = Buffer.alloc(length, value < 0n ? 0xff : 0);
      bytes.writeBigInt64BE(value, length - 8);
      bytes[0]! |= 0x80;
      return bytes;
    };
    const block = patched(headerBlock(fields), 124, inBase256(BigInt(large)));
    expect(await call('parseHeader', block), 'base 256').toMatchObject({ size: large });
    const uid = 2 ** 21 + draw.int(0, 2 ** 30);
    const inEight = patched(headerBlock(fields), 108, inBase256(BigInt(uid), 8));
    expect(await call('parseHeader', inEight), 'base 256 in eight bytes').toMatchObject({ uid });
    const mtime = -draw.int(1, 2 ** 31);
    const before = patched(headerBlock(fields), 136, inBase256(BigInt(mtime)));
    expect(await call('parseHeader', before), 'a time before the epoch').toMatchObject({ mtime });
    const mode = draw.int(0o100, 0o777);
    const blanks = patched(headerBlock(fields), 100, Buffer.from(`   ${mode.toString(8)} \0`));
    expect(await call('parseHeader', blanks), 'blanks before and after').toMatchObject({ mode });
    const empty = patched(headerBlock(fields), 329, Buffer.alloc(16));
    expect(await call('parseHeader', empty), 'fields without a digit').toMatchObject({ major: 0, minor: 0 });
  });

  test('task 1: a name is put together from prefix and name', async () => {
    const prefix = `p/${draw.word(100)}/${nonce()}`;
    const fields = randomHeader();
    const block = patched(headerBlock(fields), 345, Buffer.from(prefix));
    expect(await call('parseHeader', block)).toEqual({ ...fields, name: `${prefix}/${fields.name}` });
    const gnu = patched(block, 257, Buffer.from('ustar  \0'));
    expect(await call('parseHeader', gnu), 'GNU tar has other things there').toMatchObject({ name: fields.name });
  });

  test('task 1: zeros end an archive; a wrong checksum or number is refused', async () => {
    expect(await call('parseHeader', Buffer.alloc(BLOCK)), 'a block of zeros').toBeNull();
    const fields = randomHeader();
    expect(await call('parseHeader', headerBlock(fields))).toEqual(fields);
    const block = headerBlock(randomHeader());
    block[draw.pick([draw.int(0, 40), draw.int(257, 260), draw.int(500, 511)])]! ^= 1;
    await refused('one bit is not what it was', 'parseHeader', block);
    await refused('text that is not a header', 'parseHeader', Buffer.alloc(BLOCK, `${nonce()} `));
    const digits = `${draw.int(10, 77)}8${draw.int(10, 77)}`;
    const number = patched(headerBlock(randomHeader()), 124, Buffer.from(`${digits.padStart(11, '0')}\0`));
    await refused(`the size ${digits} has a digit that is not octal`, 'parseHeader', number);
    const huge = patched(headerBlock(randomHeader()), 124, Buffer.concat([Buffer.of(0x80), Buffer.alloc(11, 0x7f)]));
    await refused('a size beyond 2^53', 'parseHeader', huge);
  });
});

describe('unpacking', () => {
  test('task 2: files, directories and links come out entry by entry', async () => {
    const [d, a, b, closed] = anyNames(4) as [string, string, string, string];
    const tree = await sameAsReference([
      tarOf(
        directory(d, { mode: 0o750 }),
        file(`${d}/${a}`, anyBytes(), { mode: draw.int(0o400, 0o777), uid: draw.int(1, 999), gid: draw.int(1, 999) }),
        file(b, '', { mode: 0o4711 }),
        hardLink('a-second-name', `${d}/${a}`),
        symlink(`${d}/link`, `../${b}`),
        symlink('dangling', `/${nonce()}`),
        hardLink('a-link-again', 'dangling'),
        file(`made/on/the/way/${nonce()}`, 'parents are made'),
        { type: 'fifo', path: 'fifo', mode: 0o622, mtime: anyTime() },
        directory(closed, { mode: 0o500 }),
        file(`${closed}/inside`, 'x', { mode: 0o400 }),
        file('ünï cödé', 'x'),
      ),
    ]);
    expect(tree[`${d}/${a}`] ?? tree['a-second-name']).toBeDefined();
  });

  test('task 2: content is whole, whatever its size and wherever a chunk ends', async () => {
    const sizes = [0, 1, 511, 512, 513, 1024, 5 * 512, draw.int(0, 20_000)];
    const tar = tarOf(...draw.some(sizes).map((size, index) => file(`${index}-${size}`, draw.bytes(size))));
    for (const chunkSize of [512, 777, tar.length]) await sameAsReference([tar], { chunkSize });
    // Byte by byte, and few of them: each costs a turn of the event loop.
    await sameAsReference([tarOf(...[513, 1].map((size) => file(`${size}`, draw.bytes(size))))], { chunkSize: 1 });
    const [contiguous, old] = [draw.bytes(draw.int(1, 2000)), draw.bytes(draw.int(1, 2000))];
    await sameAsReference([Buffer.concat([rawEntry({ flag: '7' }, contiguous), rawEntry({ flag: '\0' }, old), END])]);
  });

  test('task 2: links, directories and FIFOs have no content, whatever their size says', async () => {
    const size = draw.int(1, 3000);
    const [target, link, fifo, d] = anyNames(4) as [string, string, string, string];
    await sameAsReference([
      Buffer.concat([
        partOf(file(target, anyBytes())),
        rawEntry({ name: link, flag: '1', linkname: target, size }),
        rawEntry({ name: `${link}s`, flag: '2', linkname: target, size }),
        rawEntry({ name: `${d}/`, flag: '5', size }),
        rawEntry({ name: fifo, flag: '6', size }),
        partOf(file(`${d}/last`, anyBytes())),
        END,
      ]),
    ]);
  });

  test('task 2: the archive ends with a block of zeros or with the stream', async () => {
    const [a, b] = anyNames(2) as [string, string];
    const part = partOf(file(a, anyBytes()), file(b, anyBytes(40)));
    await sameAsReference([part]);
    await sameAsReference([Buffer.concat([part, Buffer.alloc(BLOCK)])]);
    const behind = Buffer.concat([part, END, partOf(file('behind', 'is ignored')), draw.bytes(draw.int(5000, 9000))]);
    await sameAsReference([behind]);
    await sameAsReference([part, Buffer.alloc(0)]);
  });

  test('task 2: the set-user-ID bit survives the change of owner', async () => {
    const { target } = place();
    const ids = isSandboxed() ? { uid: 0, gid: 0 } : { uid: process.getuid!(), gid: process.getgid!() };
    const tar = tarOf(file('su', 'x', { mode: 0o4755, ...ids }), file('write', 'x', { mode: 0o2755, ...ids }), {
      type: 'fifo',
      path: 'fifo',
      mode: 0o6755,
      mtime: anyTime(),
      ...ids,
    });
    await call('applyLayers', { tars: [tar], directory: target, options: { whiteouts: 'remove', ownership: true } });
    const eyes = subjectsEyes();
    const mode = (name: string) => (eyes.lstat(`${target}/${name}`).mode & 0o7777n).toString(8);
    expect({ su: mode('su'), write: mode('write'), fifo: mode('fifo') }, 'modes').toEqual({
      su: '4755',
      write: '2755',
      fifo: '6755',
    });
  });

  test('task 2: a device is made with its type, its numbers and its mode', async () => {
    const { target } = place();
    const ids = isSandboxed() ? { uid: 0, gid: 0 } : { uid: process.getuid!(), gid: process.getgid!() };
    // Beyond 8 bits both numbers are split, each in its own way.
    const devices = draw.some([
      ...['3', '4'].map((flag) => ({ flag, major: draw.int(256, 4095), minor: draw.int(256, 0xfffff) })),
      { flag: draw.pick(['3', '4']), major: draw.int(1, 200), minor: draw.int(0, 255) },
    ]);
    const entries = devices.map((device) => ({ ...device, ...ids, name: nonce(), mode: draw.int(0o400, 0o777) }));
    const tar = Buffer.concat([...entries.map((fields) => rawEntry(fields)), END]);
    const request = { tars: [tar], directory: target, options: { whiteouts: 'remove', ownership: true } };
    const { calls } = await traceSyscalls(subject!, () => call('applyLayers', request), { standIn: true });
    const asked = calls.filter(({ call, result }) => call === 'mknod' && result === 0).map(({ node }) => node!);
    const eyes = subjectsEyes();
    for (const [index, { flag, major, minor, name, mode }] of entries.entries()) {
      const node = asked[index];
      if (node === undefined)
        throw new Error(`mknod(2) should be called for each of ${entries.length} devices; it was for ${asked.length}.`);
      const kind = { [S_IFCHR]: 'character device', [S_IFBLK]: 'block device' }[node.mode & S_IFMT] ?? 'something else';
      const is = {
        kind,
        device: `0x${node.device.toString(16)}`,
        mode: (eyes.lstat(`${target}/${name}`).mode & 0o7777n).toString(8),
      };
      expect(is, `the device ${major}:${minor}, of flag ${flag}`).toEqual({
        kind: flag === '3' ? 'character device' : 'block device',
        device: `0x${(makedev(major, minor) & 0xffffffffn).toString(16)}`,
        mode: mode.toString(8),
      });
    }
  });

  test('task 2: a directory keeps its mode and time, though files are made in it later', async () => {
    const [d, e] = anyNames(2) as [string, string];
    for (const entries of [
      [directory(d), directory(`${d}/${e}`), file(`${d}/${e}/x`), file(`${d}/y`)],
      [directory(`${d}/${e}`), directory(d, { mode: 0o555 }), file(`${d}/${e}/x`), file(`${d}/y`)],
      [directory('', { mode: 0o711 }), directory(d), file(`${d}/y`), file('z')],
      [directory(d), file(`${d}/y`), directory(d, { mode: 0o700 }), file(`${d}/z`)],
    ])
      await sameAsReference([tarOf(...entries)]);
    if (!hasManyIds()) return;
    // Root passes through any directory; an ordinary user through none that already has the mode 0.
    const closed = [directory(d, { mode: 0 }), directory(`${d}/${e}`, { mode: 0o200 })];
    for (const entries of [closed, closed.toReversed()]) {
      const { target } = place();
      const tars = [tarOf(...entries, file(`${d}/${e}/x`))];
      const options = { whiteouts: 'remove', ownership: false };
      await call('applyLayers', { tars, directory: target, options, user: draw.int(1, 900) });
      const mode = (path: string) => (subjectsEyes().lstat(`${target}/${path}`).mode & 0o7777n).toString(8);
      expect({ [d]: mode(d), [`${d}/${e}`]: mode(`${d}/${e}`) }, 'modes').toEqual({ [d]: '0', [`${d}/${e}`]: '200' });
    }
  });

  test('task 2: a pax header is about the next entry, and counts more than its header', async () => {
    const long = `${draw.word(90)}/${'ö'.repeat(60)}/${nonce()}`;
    await sameAsReference([
      tarOf(
        file(long, 'a long name'),
        file('plain', 'the record of another entry is not about this one'),
        symlink('link', draw.word(150)),
        file('old', 'before 1970', { mtime: new Date(-draw.int(1, 2 ** 30) * 1000) }),
        hardLink('again', long),
        file('last', 'x'),
      ),
    ]);
    const content = draw.bytes(draw.int(600, 3000));
    const ids: [string, string][] = [
      ['gid', `${draw.int(1, 60_000)}`],
      ['uid', `${draw.int(1, 60_000)}`],
    ];
    const other = { mode: 0o6755, uid: draw.int(1, 999), gid: draw.int(1, 999), size: draw.int(0, 100) };
    const overridden = rawEntry(other, content);
    overridden.set(patched(overridden.subarray(0, BLOCK), 124, Buffer.from('00000000007\0')));
    await sameAsReference([
      Buffer.concat([paxHeader([...ids, ['size', `${content.length}`]]), overridden, rawEntry(other), END]),
    ]);
  });

  test('task 2: a pax record is as long as it says, and a time may have a fraction', async () => {
    const [a, b, c] = anyNames(3) as [string, string, string];
    const seconds = draw.int(1, 2 ** 31);
    const lines = `${nonce()}\n30 mtime=${draw.int(1, 2 ** 30)}\n${11 + b.length} path=${b}\n`;
    const archive = Buffer.concat([
      paxHeader([
        ['comment', lines],
        ['path', a],
        ['mtime', `${seconds}.${draw.int(1, 999_999)}`],
      ]),
      rawEntry({ name: c }, anyBytes()),
      END,
    ]);
    const tree = await sameAsReference([archive]);
    expect(tree[a], a).toContain(`time ${seconds}`);
  });

  test('task 2: a global pax header is read and ignored', async () => {
    const [a, b] = anyNames(2) as [string, string];
    const [first, last] = [rawEntry({ name: a }, anyBytes()), rawEntry({ name: b }, anyBytes())];
    const global = paxHeader(
      [
        ['comment', nonce()],
        ['mtime', `${draw.int(1, 2 ** 31)}`],
        ['path', nonce()],
      ],
      'g',
    );
    const as = [Buffer.concat([first, last, END])];
    await sameAsReference([Buffer.concat([global, first, last, END])], { as });
    await sameAsReference([Buffer.concat([first, global, last, END])], { as });
  });

  test('task 2: the later of two entries with one name wins', async () => {
    const [a, b, c, d, e] = anyNames(5) as [string, string, string, string, string];
    await sameAsReference([
      tarOf(file(a, '1'), file(a, '2'), file(b, '1'), symlink(b, a), symlink(c, b), file(c, '2')),
      tarOf(directory(a), file(`${a}/x`), file(b, 'over a link'), directory(c), directory(d), file(`${d}/x`)),
      tarOf(directory(d, { mode: 0o700 }), file(c, 'over a directory')),
    ]);
    await sameAsReference([tarOf(directory(d), file(`${d}/x`), symlink(e, d), directory(e), file(`${e}/y`))]);
    await sameAsReference([tarOf(directory(d), file(`${d}/x`, anyBytes()), symlink(d, e), file(e, 'not through it'))]);
    await sameAsReference([tarOf(file(a, '1'), hardLink(b, a), file(b, 'not through it'), hardLink(a, a))]);
  });
});

describe('what layers take away', () => {
  /** A lower layer, and the names in it. */
  function lowerLayer() {
    const [d, old, deep, gone, kept, again] = anyNames(6) as [string, string, string, string, string, string];
    const lower = tarOf(
      directory(d),
      file(`${d}/${old}`),
      directory(`${d}/${deep}`),
      file(`${d}/${deep}/older`),
      file(gone),
      file(kept),
      file(again),
    );
    return { d, old, deep, gone, kept, again, lower };
  }

  test('task 3: a whiteout hides what is below, and nothing of its own layer', async () => {
    const { d, old, deep, gone, kept, again, lower } = lowerLayer();
    const upper = tarOf(
      ...draw.some([whiteout(`.wh.${gone}`), whiteout(`.wh.${nonce()}`), whiteout(`${d}/.wh.${deep}`)]),
      file(again, 'new'),
      whiteout(`.wh.${again}`),
      whiteout(`.wh.${gone}`),
    );
    const tree = await sameAsReference([lower, upper]);
    expect(Object.keys(tree).sort()).toEqual([again, d, `${d}/${old}`, kept].sort());
    for (const entries of [
      [whiteout(`.wh.${d}`), directory(d), file(`${d}/new`)],
      [whiteout(`.wh.${d}`), file(`${d}/new`)],
      [directory(d), file(`${d}/new`), whiteout(`.wh.${d}`)],
      [directory(d), file(`${d}/${deep}/new`), whiteout(`.wh.${d}`)],
    ])
      await sameAsReference([lower, tarOf(...entries)]);
  });

  test('task 3: an opaque directory keeps what its own layer brings, wherever the mark stands', async () => {
    const { d, deep, lower } = lowerLayer();
    const mark = whiteout(`${d}/.wh..wh..opq`);
    const brings = [directory(d), file(`${d}/new`), directory(`${d}/${deep}`), file(`${d}/${deep}/newer`)];
    for (const upper of [tarOf(...brings, mark), tarOf(mark, ...brings), tarOf(brings[0]!, mark, ...brings.slice(1))]) {
      const tree = await sameAsReference([lower, upper]);
      const left = Object.keys(tree).filter((path) => path.startsWith(`${d}/`));
      expect(left.sort()).toEqual([`${d}/${deep}`, `${d}/${deep}/newer`, `${d}/new`].sort());
    }
  });

  test('task 3: no file of a name that begins with .wh. is made, and content of a whiteout is passed over', async () => {
    const { d, gone, kept, again, lower } = lowerLayer();
    const last = file(nonce(), anyBytes());
    const tree = await sameAsReference([
      lower,
      Buffer.concat([
        rawEntry({ name: `.wh.${gone}`, mode: 0o644 }, draw.bytes(draw.int(1, 2000))),
        partOf(
          file('.wh..wh.aufs', anyBytes()),
          directory('.wh..wh.plnk'),
          file(`.wh..wh.plnk/${nonce()}`, anyBytes()),
        ),
        rawEntry({ name: `${d}/.wh..wh..opq`, mode: 0o644 }, draw.bytes(draw.int(1, 2000))),
        partOf(last),
        END,
      ]),
    ]);
    expect(Object.keys(tree).sort()).toEqual([again, d, kept, last.path].sort());
  });

  /** Apply one layer in overlayfs's form. @returns what stands at each path. */
  async function inOverlayForm(...entries: ArchiveEntry[]): Promise<Record<string, string>> {
    const { target, untouched } = place();
    const options = { whiteouts: 'overlay', ownership: false };
    await call('applyLayers', { tars: [tarOf(...entries)], directory: target, options });
    untouched();
    const eyes = subjectsEyes();
    const found: Record<string, string> = {};
    const visit = (path: string) => {
      for (const name of eyes.list(join(target, path))) {
        const at = path === '' ? name : `${path}/${name}`;
        const info = eyes.lstat(join(target, at));
        const opaque = info.isDirectory() && getXattr(subject!.outsidePath(join(target, at)), 'user.overlay.opaque');
        if (info.isCharacterDevice()) found[at] = info.rdev === 0n ? 'whiteout' : 'device';
        else found[at] = opaque && `${opaque}` === 'y' ? 'opaque directory' : kindOf(info);
        if (info.isDirectory()) visit(at);
      }
    };
    visit('');
    return found;
  }

  test('task 3: for overlayfs a whiteout is device 0:0, and an opaque directory has its attribute', async () => {
    needOverlayMarks();
    const [gone, d, e, both] = anyNames(4) as [string, string, string, string];
    expect(
      await inOverlayForm(
        whiteout(`.wh.${gone}`),
        directory(d),
        whiteout(`${d}/.wh..wh..opq`),
        file(`${d}/new`),
        whiteout(`.wh.${e}`),
        directory(e),
        file(both, 'its own'),
        whiteout(`.wh.${both}`),
      ),
    ).toEqual({
      [gone]: 'whiteout',
      [d]: 'opaque directory',
      [`${d}/new`]: 'file',
      [e]: 'opaque directory',
      [both]: 'file',
    });
  });

  test('task 3: for overlayfs a name may be hidden and come again', async () => {
    needOverlayMarks();
    const [f, d, e, g] = anyNames(4) as [string, string, string, string];
    expect(
      await inOverlayForm(
        whiteout(`.wh.${f}`),
        file(f, 'again'),
        whiteout(`.wh.${d}`),
        file(`${d}/x`, 'in a directory that no entry describes'),
        directory(e),
        whiteout(`.wh.${e}`),
        whiteout(`.wh.${g}`),
        whiteout(`.wh.${g}`),
      ),
    ).toEqual({ [f]: 'file', [d]: 'opaque directory', [`${d}/x`]: 'file', [e]: 'opaque directory', [g]: 'whiteout' });
  });
});

function needOverlayMarks(): void {
  const probe = mkdtempSync(join(subject!.outsidePath(subject!.scratch), 'probe-'));
  try {
    mknod(join(probe, 'whiteout'), S_IFCHR);
    setXattr(probe, 'user.overlay.opaque', Buffer.from('y'));
  } catch (error) {
    unsupported(`overlayfs's marks cannot be made here (${(error as Error).message}); this takes Linux 6.6 or newer.`);
  } finally {
    rmSync(probe, { recursive: true });
  }
}

describe('hostile archives', () => {
  type Archive = (beside: string) => Buffer;

  /** A harmless archive is unpacked; then each of the others is refused, in both forms, and changes nothing beside. */
  async function allRefused(harmless: ArchiveEntry[], archives: Record<string, Archive>, more = {}): Promise<void> {
    await sameAsReference([tarOf(...harmless)]);
    for (const [what, archive] of draw.some(Object.entries(archives))) {
      for (const whiteouts of ['remove', 'overlay']) {
        const { target, beside, untouched } = place();
        const options = { whiteouts, ownership: false, ...more };
        await refused(what, 'applyLayers', { tars: [archive(beside)], directory: target, options });
        untouched();
      }
    }
    await sameAsReference([tarOf(...harmless)]);
  }

  test('task 4: no name leads out', async () => {
    const [a, b] = anyNames(2) as [string, string];
    const harmless = [file(`${a}/.../${b}`), file(`..${b}`), file(`./${a}/./${b}`), file(`${a}//x`)];
    await allRefused(harmless, {
      'a name that climbs': () => tarOf(file('../layer-beside/victim', 'x')),
      'a name that climbs to where the names begin alike': () => tarOf(file(`../layer-beside/${a}`, 'x')),
      'a name that climbs in its middle': () => tarOf(file(`${a}/../../layer-beside/victim`, 'x')),
      'a name that climbs out and comes back': () => tarOf(file(`../layer/${a}`, 'x')),
      'a name that climbs and stays inside': () => tarOf(directory(a), file(`${a}/../${b}`, 'x')),
      'an absolute name': (beside) => tarOf(file(`${beside}/victim`, 'x')),
      'an absolute name that would be inside': () => tarOf(file(`/${a}`, 'x')),
      'a directory that is the parent': () => tarOf(directory(`${a}/../..`, { mode: 0o700 })),
      'a whiteout of the parent': () => tarOf(file('.wh...', '')),
      'a whiteout of the directory itself': () => tarOf(directory(a), file(`${a}/.wh..`, '')),
      'a root that is a link': (beside) => tarOf(symlink('.', beside)),
      'a long name that climbs': () => tarOf(file(`${a}/${'../'.repeat(40)}layer-beside/victim`, 'x')),
    });
  });

  test('task 4: no symbolic link leads out', async () => {
    const [a, b] = anyNames(2) as [string, string];
    const harmless = [
      symlink(a, '../layer-beside'),
      symlink(b, '/nowhere'),
      directory('c'),
      symlink('d', 'c'),
      file('d/x'),
    ];
    await allRefused(harmless, {
      'a file behind a relative link': () => tarOf(symlink(a, '../layer-beside'), file(`${a}/victim`, 'x')),
      'a file behind an absolute link': (beside) => tarOf(symlink(a, beside), file(`${a}/victim`, 'x')),
      'a file behind a link to a link': () =>
        tarOf(symlink(a, '..'), symlink(b, `${a}/layer-beside`), file(`${b}/victim`, 'x')),
      'a file behind a link in a directory': () =>
        tarOf(directory(a), symlink(`${a}/${b}`, '../../layer-beside'), file(`${a}/${b}/new`, 'x')),
      'a directory behind a link': () => tarOf(symlink(a, '..'), directory(`${a}/layer-beside/new`)),
      'a whiteout behind a link': () => tarOf(symlink(a, '../layer-beside'), whiteout(`${a}/.wh.victim`)),
      'an opaque mark behind a link': () => tarOf(symlink(a, '../layer-beside'), whiteout(`${a}/.wh..wh..opq`)),
      'a link behind a link': () => tarOf(symlink(a, '../layer-beside'), symlink(`${a}/new`, 'victim')),
      'a link to itself': () => tarOf(symlink(a, a), file(`${a}/x`)),
      'two links in a circle': () => tarOf(symlink(a, b), symlink(b, a), file(`${a}/x`)),
      'a link to what is not there': () => tarOf(symlink(a, `/${nonce()}`), file(`${a}/x`)),
    });
  });

  test('task 4: no hard link leads out', async () => {
    const [a, b] = anyNames(2) as [string, string];
    await allRefused([file(a, anyBytes()), hardLink(b, a)], {
      'a hard link to a name that climbs': () => tarOf(hardLink(a, '../layer-beside/victim')),
      'an absolute hard link': (beside) => tarOf(hardLink(a, `${beside}/victim`)),
      'a hard link behind a symbolic one': (beside) => tarOf(symlink(a, beside), hardLink(b, `${a}/victim`)),
      'a hard link behind a relative symbolic one': () =>
        tarOf(symlink(a, '../layer-beside'), hardLink(b, `${a}/victim`)),
      'a hard link to nothing': () => tarOf(hardLink(a, nonce())),
      'a hard link to a directory': () => tarOf(directory(b), hardLink(a, b)),
      'a hard link to the root': () => tarOf(hardLink(a, '.')),
    });
  });

  test('task 4: a replaced directory or link is not followed afterwards', async () => {
    const [d, s] = anyNames(2) as [string, string];
    const out = '../layer-beside';
    // The directory gets its mode and time at the end; by then its name may be a link.
    await sameAsReference([
      tarOf(directory(d, { mode: 0o777 }), directory(`${d}/e`, { mode: 0o777 }), symlink(d, out)),
    ]);
    await sameAsReference([tarOf(directory(`${d}/e`, { mode: 0o777 }), symlink(d, out))]);
    await sameAsReference([tarOf(symlink(s, `${out}/victim`), hardLink('h', s), file('h', 'not through it'))]);
    await sameAsReference([tarOf(symlink(s, `${out}/victim`), hardLink('h', s))]);
    await sameAsReference([tarOf(symlink(s, `${out}/victim`), file(s, 'not through it', { mode: 0o600 }))]);
    await sameAsReference([tarOf(symlink(s, out), directory(s, { mode: 0o711 }), file(`${s}/victim`, 'inside'))]);
    await sameAsReference([tarOf(symlink(s, out)), tarOf(whiteout(`.wh.${s}`), file('x'))]);
    await sameAsReference([
      tarOf(directory(d), symlink(`${d}/${s}`, `../${out}/e`)),
      tarOf(directory(d), whiteout(`${d}/.wh..wh..opq`), file(`${d}/x`)),
    ]);
  });

  test('task 4: an archive that is truncated, or not an archive, is refused', async () => {
    const a = nonce();
    const whole = tarOf(file(a, draw.bytes(3000)));
    const next = rawEntry({ name: a }, anyBytes());
    const size = (text: string) => Buffer.concat([paxHeader([['size', text]]), next, END]);
    await allRefused([file(a, draw.bytes(3000))], {
      'an archive that ends in a header': () => whole.subarray(0, draw.int(1, 511)),
      'an archive that ends in a file': () => whole.subarray(0, draw.int(512, 3511)),
      'an archive that ends after a pax header': () => paxHeader([['path', a]]),
      'an archive that ends in a pax header': () => paxHeader([['path', draw.word(800)]]).subarray(0, 900),
      'something that is not an archive': () => Buffer.alloc(4096, `${nonce()} `),
      'a pax record that is longer than its header': () => rewritten(paxHeader([['path', a]]), '99'),
      'a pax record without a length': () => Buffer.concat([rawEntry({ flag: 'x' }, `path=${a}\n`), next, END]),
      'a size that is not a number': () => size('many'),
      'a size below 0': () => size('-1'),
      'a size that no file can have': () => size('99999999999999999999'),
      'an entry of a flag that is not known': () => rawEntry({ name: a, flag: draw.pick([...'QZVM']) }),
    });
  });

  test('task 4: a pax header of more than 1 MiB is refused', async () => {
    /** Nearly all of a record's value is zeros, which the driver puts in. */
    const withRecordOf = (length: number) => {
      const start = Buffer.from(`${length} comment=`);
      const zeros = { count: length - start.length - 1, at: BLOCK + start.length };
      const header = headerBlock({ ...randomHeader('x'), name: 'PaxHeader', size: length });
      const rest = Buffer.concat([Buffer.from('\n'), Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK)]);
      return { zeros, tar: Buffer.concat([header, start, rest, partOf(file(nonce(), anyBytes())), END]) };
    };
    const apply = ({ zeros, tar }: ReturnType<typeof withRecordOf>) => {
      const { target } = place();
      return { tars: [tar], directory: target, options: { whiteouts: 'remove' }, zeros, chunkSize: 1 << 16 };
    };
    const small = apply(withRecordOf(draw.int(2 ** 19, 2 ** 20)));
    expect(await call('applyLayers', small), 'a pax header of less than 1 MiB').toMatchObject({ entries: 1 });
    await refused(
      'a pax header of more than 1 MiB',
      'applyLayers',
      apply(withRecordOf(2 ** 20 + draw.int(1, 2 ** 20))),
    );
  });

  /** The first two digits of a pax header's only record are others. */
  function rewritten(header: Buffer, digits: string): Buffer {
    const changed = Buffer.from(header);
    changed.write(digits, BLOCK, 'latin1');
    return Buffer.concat([changed, END]);
  }

  test('task 4: a whiteout that is forged or misused is refused', async () => {
    const [a, b] = anyNames(2) as [string, string];
    const zero = Buffer.concat([rawEntry({ name: a, flag: '3' }), END]);
    const harmless = [whiteout(`.wh.${a}`), file(b)];
    await allRefused(harmless, {
      'the device 0:0, which overlayfs takes for a whiteout': () => zero,
      'a device': () => Buffer.concat([rawEntry({ name: a, flag: '3', major: 1, minor: 3 }), END]),
      'a block device': () => Buffer.concat([rawEntry({ name: a, flag: '4', major: 7, minor: draw.int(0, 9) }), END]),
      'an entry below a whiteout': () => tarOf(file(`.wh.${a}/${b}`)),
      'a directory below a whiteout': () => tarOf(directory(`${b}/.wh.${a}/${b}`)),
      'a whiteout of nothing': () => tarOf(whiteout('.wh.')),
    });
    await allRefused(
      harmless,
      { 'the device 0:0, from somebody who may make devices': () => zero },
      { ownership: true },
    );
    needOverlayMarks();
    const { target } = place();
    const hidden = tarOf(whiteout(`.wh.${a}`), hardLink(b, a));
    const options = { whiteouts: 'overlay', ownership: false };
    await refused('a hard link to a whiteout', 'applyLayers', { tars: [hidden], directory: target, options });
  });

  test('task 4: a link that stays inside is followed as the container will follow it', async () => {
    const [usr, lib, x] = anyNames(3) as [string, string, string];
    for (const target of [`${usr}/${lib}`, `/${usr}/${lib}`, `./${usr}/../${usr}/${lib}/`]) {
      const tree = await sameAsReference([
        tarOf(directory(usr), directory(`${usr}/${lib}`), symlink(lib, target), file(`${lib}/${x}`, anyBytes())),
      ]);
      expect(Object.keys(tree)).toContain(`${usr}/${lib}/${x}`);
      await sameAsReference([
        tarOf(directory(usr), directory(`${usr}/${lib}`), symlink(lib, target), file(`${usr}/${lib}/${x}`)),
        tarOf(hardLink(`${x}-too`, `${lib}/${x}`), whiteout(`${lib}/.wh.${x}`)),
      ]);
    }
  });
});

describe('packing', () => {
  /** A tree that the subject can read and not change, and the bytes that the engine makes of it. */
  async function upperdir(
    make: (root: string) => void,
    excluded?: string[],
  ): Promise<{ packed: Buffer; expected: Buffer }> {
    const { inside: upper, outside } = await subject!.workDir();
    make(outside);
    const id = Number(base());
    if (judgeIsRoot && isSandboxed()) giveAll(outside, id);
    const exclude = (path: string) => excluded?.includes(path) === true;
    const entries = [...upperEntries(outside, { exclude })].map((entry) =>
      // The marks have no owner; what the judge owns is called by another number inside.
      /(^|\/)\.wh\./.test(entry.path) ? entry : { ...entry, uid: entry.uid! - id, gid: entry.gid! - id },
    );
    const expected = Buffer.concat([...packEntries(entries)]);
    const packed = (await call('packLayer', upper, ...(excluded === undefined ? [] : [excluded]))) as Uint8Array;
    return { packed: Buffer.from(packed), expected };
  }

  function giveAll(path: string, id: number): void {
    const { mtimeMs, mode } = lstatSync(path);
    lchownSync(path, id, id);
    if (!lstatSync(path).isSymbolicLink()) chmodSync(path, mode & 0o7777);
    if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) giveAll(join(path, name), id);
    lutimesSync(path, new Date(mtimeMs), new Date(mtimeMs));
  }

  /** Block by block, so that a difference says where it is. */
  function expectSame({ packed, expected }: { packed: Buffer; expected: Buffer }): void {
    const blocks = (bytes: Buffer) =>
      Array.from({ length: Math.ceil(bytes.length / BLOCK) }, (_, index) =>
        bytes.toString('latin1', index * BLOCK, index * BLOCK + BLOCK).replace(/[^ -~]+/g, '·'),
      );
    expect(blocks(packed), 'the archive, in blocks').toEqual(blocks(expected));
    expect(packed.equals(expected), 'the archive is the same to the byte').toBe(true);
  }

  test('task 5: the same tree gives the bytes that the engine gives', async () => {
    const names = ['b', 'B', 'a', 'Z', 'ä', '-', 'a.b', 'é', '\u{1f6a2}', '\uffee', nonce()];
    const made = await upperdir((root) => {
      for (const name of draw.some(names)) writeFileSync(join(root, name), anyBytes());
      for (const name of ['a-d', 'a', 'a0'].map((each) => `dir-${each}`)) {
        mkdirSync(join(root, name));
        writeFileSync(join(root, name, 'x'), nonce());
      }
      symlinkSync(`../${draw.word()}`, join(root, 'dir-a/link'));
      mknod(join(root, 'dir-a/fifo'), S_IFIFO | 0o644);
      chmodSync(join(root, 'b'), 0o4751);
      lutimesSync(join(root, 'b'), draw.int(1, 2 ** 31) + 0.75, draw.int(1, 2 ** 31) + 0.75);
    });
    expectSame(made);
  });

  test('task 5: a deleted name becomes a whiteout, and a replaced directory is opaque', async () => {
    needOverlayMarks();
    const names = anyNames(4);
    const made = await upperdir((root) => {
      mkdirSync(join(root, 'replaced/sub'), { recursive: true });
      // The kernel makes all whiteouts of a mount one inode with many names.
      mknod(join(root, names[0]!), S_IFCHR);
      for (const name of names.slice(1))
        linkSync(join(root, names[0]!), join(root, draw.pick(['', 'replaced/sub']), name));
      writeFileSync(join(root, 'replaced/-first'), 'the mark is before it');
      writeFileSync(join(root, '.wh.no-whiteout'), 'a layer cannot hold this name');
      setXattr(join(root, 'replaced'), 'user.overlay.opaque', Buffer.from('y'));
      setXattr(join(root, 'replaced/sub'), 'user.overlay.opaque', Buffer.from(draw.pick(['n', 'x'])));
    });
    expectSame(made);
    for (const name of names)
      expect(made.packed.toString('latin1').includes(`.wh.${name}\0`), `there is a whiteout of ${name}`).toBe(true);
  });

  test('task 5: a file with several names is stored once', async () => {
    const content = draw.bytes(draw.int(1, 2000));
    const made = await upperdir((root) => {
      mkdirSync(join(root, 'd'));
      writeFileSync(join(root, 'z'), content);
      for (const name of ['d/a', 'q', nonce()]) linkSync(join(root, 'z'), join(root, name));
      symlinkSync(draw.word(), join(root, 'd/link'));
      linkSync(join(root, 'd/link'), join(root, 'link'));
      writeFileSync(join(root, 'd/other'), content);
    });
    expectSame(made);
  });

  test('task 5: a value that does not fit in a header stands in a pax record before it', async () => {
    const made = await upperdir((root) => {
      const long = join(root, 'ö'.repeat(60));
      mkdirSync(long);
      writeFileSync(join(long, draw.word(99)), 'x');
      symlinkSync(draw.word(draw.int(101, 300)), join(root, 'link'));
      symlinkSync(draw.word(100), join(root, 'fits'));
      for (const name of ['old', 'half', 'late']) writeFileSync(join(root, name), nonce());
      const before = -draw.int(1, 2 ** 30);
      lutimesSync(join(root, 'old'), new Date(before * 1000), new Date(before * 1000));
      // Rounded down: half a second before 1970 is in the second -1.
      lutimesSync(join(root, 'half'), new Date(before * 1000 - 500), new Date(before * 1000 - 500));
      const late = 2 ** 33 + draw.int(0, 2 ** 30);
      lutimesSync(join(root, 'late'), new Date(late * 1000), new Date(late * 1000));
      // 99 and 9 999 bytes: the length of a record counts its own digits.
      writeFileSync(join(root, draw.word(draw.int(85, 105))), 'x');
    });
    expectSame(made);
  });

  test('task 5: an excluded path is left out, with everything below it', async () => {
    const [d, e, f] = anyNames(3) as [string, string, string];
    const make = (root: string) => {
      mkdirSync(join(root, d, e), { recursive: true });
      mkdirSync(join(root, e));
      for (const path of [`${d}/${e}/${f}`, `${d}/${f}`, `${e}/${f}`, f, `${f}-kept`])
        writeFileSync(join(root, path), nonce());
      linkSync(join(root, f), join(root, `${f}-link`));
    };
    expectSame(await upperdir(make, [`${d}/${e}`, f]));
    expectSame(await upperdir(make, [d]));
    expectSame(await upperdir(make));
  });
});
