import { createHash, randomBytes, randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ArchiveEntry, packEntries } from '../../engine/image/archive.ts';
import { applyLayer as referenceApply } from '../../engine/image/layer.ts';
import { upperEntries } from '../../engine/image/layer-diff.ts';
import { writeHeader } from '../../engine/image/tar-header.ts';
import { mknod, S_IFCHR } from '../../engine/kernel/nodes.ts';
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
import { SubjectError } from '../../grader/harness/subject-error.ts';
import { openSubject, type Subject, unsupported } from '../../grader/harness/suite.ts';

let subject: Subject | undefined;
beforeAll(async () => {
  subject = await openSubject();
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
});

const call = async (name: string, ...args: unknown[]): Promise<unknown> => subject!.call(name, ...args);

/** The call has to throw, and of its own accord. */
async function refused(what: string, name: string, ...args: unknown[]): Promise<void> {
  const outcome = await call(name, ...args).catch((error: Error) => error);
  if (!(outcome instanceof Error)) throw new Error(`${what}: ${name}() should throw, and answered instead.`);
  if (!(outcome instanceof SubjectError) || outcome.name === 'NotImplemented') throw outcome;
}

// ---- archives ----

const mtime = new Date('2001-09-09T01:46:40Z');
const file = (path: string, content: string | Uint8Array = path, more: object = {}): ArchiveEntry => ({
  type: 'file',
  path,
  content,
  mode: 0o644,
  mtime,
  ...more,
});
const directory = (path: string, more: object = {}): ArchiveEntry => ({
  type: 'directory',
  path,
  mode: 0o755,
  mtime,
  ...more,
});
const symlink = (path: string, target: string): ArchiveEntry => ({ type: 'symlink', path, target, mode: 0o777, mtime });
const hardLink = (path: string, target: string): ArchiveEntry => ({ type: 'link', path, target, mode: 0o644, mtime });
const tarOf = (...entries: ArchiveEntry[]) => Buffer.concat([...packEntries(entries)]);

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
  const block = Buffer.alloc(512);
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
  mode: randomInt(0o10000),
  uid: randomInt(0o7777777),
  gid: randomInt(0o7777777),
  size: '12345'.includes(flag) ? 0 : randomInt(2 ** 33),
  mtime: randomInt(2 ** 33),
  linkname: '12'.includes(flag) ? nonce() : '',
  major: '34'.includes(flag) ? randomInt(4096) : 0,
  minor: '34'.includes(flag) ? randomInt(2 ** 20) : 0,
});

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

/** Each entry with all that is known of it; the names of one file say so. */
function describeTree(eyes: Eyes, root: string, owners: boolean): Record<string, string> {
  const described: Record<string, string> = {};
  const first = new Map<bigint, string>();
  const visit = (path: string) => {
    const info = eyes.lstat(join(root, path));
    const facts = [`mode ${info.mode.toString(8)}`, `time ${info.mtimeNs / 1_000_000_000n}`];
    if (owners) facts.push(`owner ${eyes.id(info.uid)}:${eyes.id(info.gid)}`);
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
    described[path] = facts.join(', ');
    if (info.isDirectory()) for (const name of eyes.list(join(root, path)).sort()) visit(join(path, name));
  };
  visit('.');
  return described;
}

/** A fresh place in the subject's scratch: the target of layers, and beside it what nobody may touch. */
function place(): { target: string; beside: string; untouched: () => void } {
  const name = nonce();
  const scratch = subject!.outsidePath(subject!.scratch);
  const beside = join(scratch, name, 'layer-beside');
  mkdirSync(beside, { recursive: true });
  writeFileSync(join(beside, 'victim'), 'untouched');
  for (const path of [beside, join(scratch, name)]) chmodSync(path, 0o777);
  chmodSync(join(beside, 'victim'), 0o666);
  lutimesSync(join(beside, 'victim'), mtime, mtime);
  const look = () => ({ ...describeTree(own, beside, false), '.': readdirSync(beside).join() });
  const before = look();
  return {
    target: `${subject!.scratch}/${name}/layer`,
    beside: `${subject!.scratch}/${name}/layer-beside`,
    untouched: () => expect(look(), 'what lies beside the directory of the layer').toEqual(before),
  };
}

/** Apply layers by the subject and by the engine, and compare what became of them, entry by entry. */
async function sameAsReference(tars: Buffer[], more: { chunkSize?: number } = {}): Promise<Record<string, string>> {
  const { target } = place();
  const owners = hasManyIds() && judgeIsRoot;
  const options = { whiteouts: 'remove' as const, ownership: owners };
  await call('applyLayers', { tars, directory: target, options, ...more });
  const reference = mkdtempSync(join(tmpdir(), 'skiff-layer-'));
  onTestFinished(() => rmSync(reference, { recursive: true, force: true }));
  for (const tar of tars) await referenceApply(Readable.from([tar]), reference, options);
  const expected = describeTree(own, reference, owners);
  const actual = describeTree(subjectsEyes(), target, owners);
  // Nobody spoke of the root, unless an entry did.
  delete expected['.'];
  delete actual['.'];
  expect(actual).toEqual(expected);
  return expected;
}

describe('headers', () => {
  test('task 1: a header of every kind is read to the field', async () => {
    for (const flag of ['0', '1', '2', '3', '4', '5', '6', 'x', '\0']) {
      const fields = randomHeader(flag);
      expect(await call('parseHeader', headerBlock(fields))).toEqual(fields);
    }
    const full = { ...randomHeader('2'), name: 'n'.repeat(100), linkname: 'l'.repeat(100) };
    expect(await call('parseHeader', headerBlock(full)), 'fields without a NUL at their end').toEqual(full);
  });

  test('task 1: numbers are octal or base 256, and larger than 31 bits', async () => {
    const fields = randomHeader();
    const size = 2 ** 31 + randomInt(2 ** 31);
    expect(await call('parseHeader', headerBlock({ ...fields, size })), 'octal').toMatchObject({ size });
    const large = 2 ** 40 + randomInt(2 ** 40);
    const inBase256 = Buffer.alloc(12);
    inBase256.writeBigUInt64BE(BigInt(large), 4);
    inBase256[0] = 0x80;
    const block = patched(headerBlock(fields), 124, inBase256);
    expect(await call('parseHeader', block), 'base 256').toMatchObject({ size: large });
    const before = patched(headerBlock(fields), 136, Buffer.alloc(12, 0xff));
    expect(await call('parseHeader', before), 'a second before the epoch').toMatchObject({ mtime: -1 });
    const blanks = patched(headerBlock(fields), 100, Buffer.from('   755 \0'));
    expect(await call('parseHeader', blanks), 'blanks before and after').toMatchObject({ mode: 0o755 });
  });

  test('task 1: a name is put together from prefix and name', async () => {
    const prefix = `p/${'r'.repeat(100)}/${nonce()}`;
    const fields = randomHeader();
    const block = patched(headerBlock(fields), 345, Buffer.from(prefix));
    expect(await call('parseHeader', block)).toEqual({ ...fields, name: `${prefix}/${fields.name}` });
    const gnu = patched(block, 257, Buffer.from('ustar  \0'));
    expect(await call('parseHeader', gnu), 'GNU tar keeps other things there').toMatchObject({ name: fields.name });
  });

  test('task 1: zeros end an archive; a wrong checksum and a number that is none are refused', async () => {
    expect(await call('parseHeader', Buffer.alloc(512))).toBeNull();
    const block = headerBlock(randomHeader());
    block[randomInt(100)]! ^= 1;
    await refused('one bit of the name is not what it was', 'parseHeader', block);
    await refused('text that is no header', 'parseHeader', Buffer.alloc(512, 'no tar'));
    const number = patched(headerBlock(randomHeader()), 124, Buffer.from('00000008889\0'));
    await refused('the size 8889 has digits that are not octal', 'parseHeader', number);
  });
});

describe('unpacking', () => {
  test('task 2: files, directories and links come out entry by entry', async () => {
    const described = await sameAsReference([
      tarOf(
        directory('d', { mode: 0o750 }),
        file('d/a', randomBytes(randomInt(2000)), { mode: 0o600, uid: 7, gid: 8 }),
        file('b', '', { mode: 0o4711 }),
        hardLink('also-a', 'd/a'),
        symlink('d/link', '../b'),
        symlink('dangling', '/nowhere'),
        file('made/on/the/way', 'parents are made'),
        { type: 'fifo', path: 'fifo', mode: 0o622, mtime },
        directory('closed', { mode: 0o500 }),
        file('closed/inside', 'x', { mode: 0o400 }),
        file('ünï cödé', 'x'),
      ),
    ]);
    expect(described['d/a']).toContain('the same file as also-a');
  });

  test('task 2: content is whole, whatever its size and wherever a chunk ends', async () => {
    const sizes = [0, 1, 511, 512, 513, 1024, 5 * 512, randomInt(20_000)];
    const tar = tarOf(...sizes.map((size, index) => file(`${index}-${size}`, randomBytes(size))));
    for (const chunkSize of [1, 512, 777, tar.length]) await sameAsReference([tar], { chunkSize });
    const { target } = place();
    const options = { whiteouts: 'remove' };
    const applied = await call('applyLayers', { tars: [tar], directory: target, options });
    expect(applied).toEqual({ size: sizes.reduce((sum, size) => sum + size), entries: sizes.length });
  });

  test('task 2: the set-user-ID bit survives the change of owner', async () => {
    const { target } = place();
    const ids = isSandboxed() ? { uid: 0, gid: 0 } : { uid: process.getuid!(), gid: process.getgid!() };
    const tar = tarOf(file('su', 'x', { mode: 0o4755, ...ids }), file('write', 'x', { mode: 0o2755, ...ids }));
    await call('applyLayers', { tars: [tar], directory: target, options: { whiteouts: 'remove', ownership: true } });
    const eyes = subjectsEyes();
    expect(eyes.lstat(`${target}/su`).mode & 0o7777n, 'the mode of a program with set-user-ID').toBe(0o4755n);
    expect(eyes.lstat(`${target}/write`).mode & 0o7777n, 'the mode of a program with set-group-ID').toBe(0o2755n);
  });

  test('task 2: a directory keeps its time, though files are made in it later', async () => {
    const old = (seconds: number) => ({ mtime: new Date(seconds * 1000) });
    const { target } = place();
    const tar = tarOf(directory('d', old(1000)), directory('d/e', old(2000)), file('d/e/x'), file('d/y'));
    await call('applyLayers', { tars: [tar], directory: target, options: { whiteouts: 'remove' } });
    const time = (path: string) => Number(subjectsEyes().lstat(`${target}/${path}`).mtimeNs / 1_000_000_000n);
    expect({ d: time('d'), e: time('d/e') }).toEqual({ d: 1000, e: 2000 });
  });

  test('task 2: a pax header is about the next entry, and counts more than its header', async () => {
    const long = `${'n'.repeat(90)}/${'ö'.repeat(60)}/${nonce()}`;
    await sameAsReference([
      tarOf(
        file(long, 'a long name'),
        file('plain', 'the record of another entry is not about this one'),
        symlink('link', 't'.repeat(150)),
        file('old', 'before 1970', { mtime: new Date(-86_400_000) }),
        hardLink('again', long),
      ),
    ]);
  });

  test('task 2: of two entries with one name the later one is there', async () => {
    await sameAsReference([
      tarOf(file('a', '1'), file('a', '2'), file('b', '1'), symlink('b', 'a'), symlink('c', 'b'), file('c', '2')),
      tarOf(directory('a'), file('a/x'), file('b', 'over a link'), directory('c'), directory('d'), file('d/x')),
      tarOf(directory('d', { mode: 0o700 }), file('c', 'over a directory')),
    ]);
  });
});

describe('what layers take away', () => {
  const whiteout = (path: string) => file(path, '', { mode: 0 });
  const lower = tarOf(
    directory('d'),
    file('d/old'),
    directory('d/deep'),
    file('d/deep/older'),
    file('gone'),
    file('kept'),
    file('again'),
  );

  test('task 3: a whiteout hides what is below, and nothing of its own layer', async () => {
    const upper = tarOf(
      whiteout('.wh.gone'),
      whiteout('.wh.never-there'),
      whiteout('d/.wh.deep'),
      file('again', 'new'),
      whiteout('.wh.again'),
    );
    const described = await sameAsReference([lower, upper]);
    expect(Object.keys(described).sort()).toEqual(['again', 'd', 'd/old', 'kept']);
    await sameAsReference([lower, tarOf(whiteout('.wh.d'), directory('d'), file('d/new'))]);
    await sameAsReference([lower, tarOf(directory('d'), file('d/new'), whiteout('.wh.d'), whiteout('.wh..wh.aufs'))]);
  });

  test('task 3: an opaque directory keeps what its own layer brings, wherever the mark stands', async () => {
    const mark = whiteout('d/.wh..wh..opq');
    const brings = [directory('d'), file('d/new'), directory('d/deep'), file('d/deep/newer')];
    for (const upper of [tarOf(...brings, mark), tarOf(mark, ...brings), tarOf(brings[0]!, mark, ...brings.slice(1))]) {
      const described = await sameAsReference([lower, upper]);
      const left = Object.keys(described).filter((path) => path.startsWith('d/'));
      expect(left.sort()).toEqual(['d/deep', 'd/deep/newer', 'd/new']);
    }
  });

  test('task 3: for overlayfs a whiteout is device 0:0, and an opaque directory has its attribute', async () => {
    needOverlayMarks();
    const { target } = place();
    const upper = tarOf(
      whiteout('.wh.gone'),
      directory('d'),
      whiteout('d/.wh..wh..opq'),
      file('d/new'),
      whiteout('.wh.e'),
      directory('e'),
    );
    await call('applyLayers', {
      tars: [upper],
      directory: target,
      options: { whiteouts: 'overlay', ownership: false },
    });
    const gone = subjectsEyes().lstat(`${target}/gone`);
    expect(gone.isCharacterDevice() && gone.rdev === 0n, `${target}/gone should be the character device 0:0`).toBe(
      true,
    );
    expect(subjectsEyes().list(`${target}/d`)).toEqual(['new']);
    for (const path of ['d', 'e']) {
      const outside = subject!.outsidePath(`${target}/${path}`);
      expect(`${getXattr(outside, 'user.overlay.opaque')}`, `user.overlay.opaque of ${path}`).toBe('y');
    }
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
  /** Each has to be refused, in both forms, and to have changed nothing beside. */
  async function allRefused(archives: Record<string, (beside: string) => Buffer>): Promise<void> {
    for (const [what, archive] of Object.entries(archives)) {
      for (const whiteouts of ['remove', 'overlay']) {
        const { target, beside, untouched } = place();
        const request = { tars: [archive(beside)], directory: target, options: { whiteouts, ownership: false } };
        await refused(what, 'applyLayers', request);
        untouched();
      }
    }
  }

  test('task 4: no name leads out', async () => {
    await allRefused({
      'a name that climbs': () => tarOf(file('../layer-beside/victim', 'x')),
      'a name that climbs to where the names begin alike': () => tarOf(file('../layer-beside/new', 'x')),
      'a name that climbs in its middle': () => tarOf(file('a/../../layer-beside/victim', 'x')),
      'a name that climbs out and comes back': () => tarOf(file('../layer/a', 'x')),
      'an absolute name': (beside) => tarOf(file(`${beside}/victim`, 'x')),
      'a directory that is the parent': () => tarOf(directory('a/../..', { mode: 0o700 })),
      'a whiteout of the parent': () => tarOf(file('.wh...', '')),
      'a root that is a link': (beside) => tarOf(symlink('.', beside)),
    });
  });

  test('task 4: no symbolic link leads out', async () => {
    await allRefused({
      'a file behind a relative link': () => tarOf(symlink('a', '../layer-beside'), file('a/victim', 'x')),
      'a file behind an absolute link': (beside) => tarOf(symlink('a', beside), file('a/victim', 'x')),
      'a file behind two links': () => tarOf(symlink('a', '..'), symlink('b', 'a/layer-beside'), file('b/victim', 'x')),
      'a directory behind a link': (beside) => tarOf(symlink('a', beside), directory('a/new')),
      'a whiteout behind a link': (beside) => tarOf(symlink('a', beside), file('a/.wh.victim', '')),
      'an opaque mark behind a link': (beside) => tarOf(symlink('a', beside), file('a/.wh..wh..opq', '')),
      'links in a circle': () => tarOf(symlink('a', 'b'), symlink('b', 'a'), file('a/x', 'x')),
    });
    const { target, beside, untouched } = place();
    const replaced = tarOf(
      symlink('a', `${beside}/victim`),
      file('a', 'written in its place', { mode: 0o777 }),
      directory('d', { mode: 0o777 }),
      symlink('d', beside),
    );
    await call('applyLayers', {
      tars: [replaced],
      directory: target,
      options: { whiteouts: 'remove', ownership: false },
    });
    untouched();
    expect(subjectsEyes().lstat(`${target}/a`).isFile(), 'a file that comes after a link takes its name').toBe(true);
  });

  test('task 4: no hard link leads out', async () => {
    await allRefused({
      'a hard link that climbs': () => tarOf(hardLink('a', '../layer-beside/victim')),
      'an absolute hard link': (beside) => tarOf(hardLink('a', `${beside}/victim`)),
      'a hard link behind a symbolic one': (beside) => tarOf(symlink('a', beside), hardLink('b', 'a/victim')),
      'a hard link to nothing': () => tarOf(hardLink('a', 'nothing')),
      'a hard link to a directory': () => tarOf(directory('d'), hardLink('a', 'd')),
    });
  });

  test('task 4: an archive that is cut off, or no archive, or forges a whiteout is refused', async () => {
    const whole = tarOf(file('a', randomBytes(3000)));
    await allRefused({
      'an archive that ends in a header': () => whole.subarray(0, 300),
      'an archive that ends in a file': () => whole.subarray(0, 2000),
      'what is no archive': () => Buffer.alloc(4096, 'no tar'),
      'the device 0:0, which overlayfs takes for a whiteout': () =>
        headerBlock({ ...randomHeader('3'), name: 'a', major: 0, minor: 0 }),
      'an entry of no known kind': () => headerBlock({ ...randomHeader('Q'), size: 0 }),
    });
  });

  test('task 4: a link that stays inside is followed as the container will follow it', async () => {
    for (const target of ['usr/lib', '/usr/lib', './usr/../usr/lib/']) {
      await sameAsReference([tarOf(directory('usr'), directory('usr/lib'), symlink('lib', target), file('lib/x'))]);
    }
  });
});

describe('packing', () => {
  /** A tree that the subject can read and not change, and the bytes that the engine makes of it. */
  async function upperdir(make: (root: string) => void): Promise<{ packed: Buffer; expected: Buffer }> {
    const { inside: upper, outside } = await subject!.workDir();
    make(outside);
    const id = Number(base());
    if (judgeIsRoot && isSandboxed()) giveTo(outside, id);
    const entries = [...upperEntries(outside)].map((entry) =>
      // The marks belong to nobody; what the judge owns is called by another number inside.
      /(^|\/)\.wh\./.test(entry.path) ? entry : { ...entry, uid: entry.uid! - id, gid: entry.gid! - id },
    );
    const expected = Buffer.concat([...packEntries(entries)]);
    const packed = (await call('packLayer', upper)) as Uint8Array;
    return { packed: Buffer.from(packed), expected };
  }

  function giveTo(path: string, id: number): void {
    lchownSync(path, id, id);
    if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) giveTo(join(path, name), id);
  }

  /** Block by block, so that a difference says where it is. */
  function expectSame({ packed, expected }: { packed: Buffer; expected: Buffer }): void {
    const blocks = (bytes: Buffer) =>
      Array.from({ length: Math.ceil(bytes.length / 512) }, (_, index) =>
        bytes.toString('latin1', index * 512, index * 512 + 512).replace(/[^ -~]+/g, '·'),
      );
    expect(blocks(packed)).toEqual(blocks(expected));
    expect(packed.equals(expected)).toBe(true);
  }

  test('task 5: the same tree gives the bytes that the engine gives', async () => {
    const names = ['b', 'B', 'a', 'Z', 'ä', '-', 'a.b', 'é', '\u{1f6a2}', '\uffee', nonce()];
    const made = await upperdir((root) => {
      for (const name of names.sort(() => randomInt(3) - 1))
        writeFileSync(join(root, name), randomBytes(randomInt(1500)));
      for (const name of ['a-d', 'a', 'a0'].map((each) => `dir-${each}`)) {
        mkdirSync(join(root, name));
        writeFileSync(join(root, name, 'x'), name);
      }
      symlinkSync('../b', join(root, 'dir-a/link'));
      chmodSync(join(root, 'b'), 0o4751);
      lutimesSync(join(root, 'b'), 1234.75, 1234.75);
    });
    expectSame(made);
  });

  test('task 5: a deleted name becomes a whiteout, and a replaced directory is opaque', async () => {
    needOverlayMarks();
    const made = await upperdir((root) => {
      mknod(join(root, 'gone'), S_IFCHR);
      mkdirSync(join(root, 'replaced/sub'), { recursive: true });
      mknod(join(root, 'replaced/sub/also'), S_IFCHR);
      writeFileSync(join(root, 'replaced/-first'), 'the mark is before it');
      writeFileSync(join(root, '.wh.no-whiteout'), 'a layer cannot hold this name');
      setXattr(join(root, 'replaced'), 'user.overlay.opaque', Buffer.from('y'));
    });
    expectSame(made);
    expect(made.packed.toString('latin1'), 'the whiteout of "gone"').toContain('.wh.gone\0');
  });

  test('task 5: a file with two names is stored once', async () => {
    const content = randomBytes(2000);
    const made = await upperdir((root) => {
      mkdirSync(join(root, 'd'));
      writeFileSync(join(root, 'z'), content);
      linkSync(join(root, 'z'), join(root, 'd/a'));
      linkSync(join(root, 'z'), join(root, 'q'));
    });
    expect(made.packed.length, 'bytes of the archive').toBe(made.expected.length);
    expectSame(made);
  });

  test('task 5: what does not fit in a header stands before it', async () => {
    const made = await upperdir((root) => {
      const long = join(root, 'ö'.repeat(60));
      mkdirSync(long);
      writeFileSync(join(long, 'x'.repeat(99)), 'x');
      symlinkSync('t'.repeat(101), join(root, 'link'));
      symlinkSync('t'.repeat(100), join(root, 'fits'));
      writeFileSync(join(root, 'old'), 'x');
      lutimesSync(join(root, 'old'), new Date(-1000), new Date(-1000));
      lutimesSync(join(root, 'link'), new Date(-86_400_000), new Date(-86_400_000));
    });
    expectSame(made);
  });
});
