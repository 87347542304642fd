/** Archives as students hand them in, by accident or on purpose. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterAll, describe, expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import { readLearnerFile } from '../harness/bundle.ts';
import { unpack } from './archive.ts';

const STORE = 'labs/07-store/store.ts';
const LAYER = 'labs/08-layer/layer.ts';
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-archive-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
let count = 0;

type Member = Partial<Header> & { name: string; content?: string };

async function tarOf(members: Iterable<Member>, ending = 'tar.gz'): Promise<string> {
  const file = path.join(folder, `${count++}.${ending}`);
  const archive = pack();
  const written =
    ending === 'tar'
      ? pipeline(archive, fs.createWriteStream(file))
      : pipeline(archive, zlib.createGzip({ level: 1 }), fs.createWriteStream(file));
  for (const { content = '', ...header } of members)
    await new Promise<void>((resolve, reject) =>
      archive.entry(header, content, (error) => (error ? reject(error) : resolve())),
    );
  archive.finalize();
  await written;
  return file;
}

/** @param rename names as they are put in the place of others of the same length, which the packer would refuse. */
async function zipOf(members: Member[], rename: Record<string, string> = {}): Promise<string> {
  const zip = new ZipFile();
  for (const { name, content = '', mode } of members) zip.addBuffer(Buffer.from(content), name, { mode });
  zip.end();
  const pieces: Buffer[] = [];
  for await (const piece of zip.outputStream) pieces.push(piece as Buffer);
  let bytes = Buffer.concat(pieces).toString('latin1');
  for (const [from, to] of Object.entries(rename)) bytes = bytes.replaceAll(from, to);
  const file = path.join(folder, `${count++}.zip`);
  fs.writeFileSync(file, bytes, 'latin1');
  return file;
}

/** The files that come out, relative to where they are unpacked. */
async function unpacked(archive: string): Promise<{ target: string; files: string[] }> {
  const target = path.join(folder, `${count++}`);
  fs.mkdirSync(target);
  await unpack(archive, [STORE, LAYER], target);
  const all = fs.readdirSync(target, { recursive: true, withFileTypes: true });
  const files = all.filter((entry) => !entry.isDirectory()).map((entry) => path.join(entry.parentPath, entry.name));
  return { target, files: files.map((file) => path.relative(target, file)).sort() };
}

describe.each([
  ['tar', (members: Member[]) => tarOf(members, 'tar')],
  ['tar.gz', (members: Member[]) => tarOf(members)],
  ['zip', (members: Member[]) => zipOf(members)],
])('from a %s', (_, make) => {
  test('only the files of labs come out, with what they hold', async () => {
    const archive = await make([
      { name: STORE, content: 'store' },
      { name: 'package.json', content: '{}' },
    ]);
    const { target, files } = await unpacked(archive);
    expect(files).toEqual([STORE]);
    expect(readLearnerFile(target, STORE)).toBe('store');
  });

  test('a submission below another folder is found, and a copy deeper down is not taken for it', async () => {
    const { target, files } = await unpacked(
      await make([
        { name: `ada-42/node_modules/old/${STORE}`, content: 'old' },
        { name: `ada-42/${STORE}`, content: 'new' },
      ]),
    );
    expect(files).toEqual([STORE]);
    expect(readLearnerFile(target, STORE)).toBe('new');
  });

  test('two submissions in one archive are refused', async () => {
    const archive = await make([{ name: `ada/${STORE}` }, { name: `bob/${STORE}` }]);
    await expect(unpacked(archive)).rejects.toThrow('it holds more than one submission: "ada/", "bob/"');
  });

  test('a file that is there twice is refused', async () => {
    const archive = await make([
      { name: STORE, content: 'one' },
      { name: `./${STORE}`.slice(2), content: 'two' },
    ]);
    await expect(unpacked(archive)).rejects.toThrow(`it holds "${STORE}" twice`);
  });

  test('a file of more than 1 MiB is refused when it is graded, and not held whole', async () => {
    const { target } = await unpacked(await make([{ name: STORE, content: ' '.repeat(5 << 20) }]));
    expect(fs.statSync(path.join(target, STORE)).size).toBe((1 << 20) + 1);
    expect(() => readLearnerFile(target, STORE)).toThrow('at most 1 MiB is graded');
  });

  test('an archive that is cut off is refused', async () => {
    const archive = await make([{ name: STORE, content: Array.from({ length: 9999 }, Math.random).join() }]);
    fs.truncateSync(archive, 2000);
    await expect(unpacked(archive)).rejects.toThrow('it is damaged');
  });
});

describe('a path that leads out of the archive is refused', () => {
  test.each(['../../x.ts', `../${STORE}`, '/etc/passwd', `labs/../../${STORE}`, 'c:/x.ts'])(
    '%s in a tar',
    async (name) => {
      await expect(unpacked(await tarOf([{ name: STORE }, { name }]))).rejects.toThrow('leads out of the archive');
    },
  );

  test.each([
    ['zz/x.ts', '../x.ts'],
    ['zetc/passwd', '/etc/passwd'],
    ['zz/labs/07-store/store.ts', '..\\labs/07-store/store.ts'],
  ])('%s as %s in a zip', async (name, evil) => {
    const archive = await zipOf([{ name: STORE }, { name }], { [name]: evil });
    await expect(unpacked(archive)).rejects.toThrow('leads out of the archive');
  });
});

describe('a link is refused as it is in a directory', () => {
  test.each([
    ['a file', [{ name: STORE, type: 'symlink', linkname: '/etc/shadow' }]],
    ['a folder on the way', [{ name: 'labs', type: 'symlink', linkname: '/etc' }]],
    ['a folder that has files', [{ name: 'labs/07-store', type: 'symlink', linkname: '/etc' }, { name: STORE }]],
    ['a folder, after its files', [{ name: STORE }, { name: 'labs/07-store', type: 'symlink', linkname: '/etc' }]],
  ] as [string, Member[]][])('in the place of %s, in a tar', async (_, members) => {
    const { target } = await unpacked(await tarOf(members));
    expect(() => readLearnerFile(target, STORE)).toThrow('is a symbolic link');
  });

  test('in a zip', async () => {
    const { target } = await unpacked(await zipOf([{ name: STORE, content: '/etc/shadow', mode: 0o120777 }]));
    expect(() => readLearnerFile(target, STORE)).toThrow('is a symbolic link');
  });

  test.each(['link', 'fifo', 'directory', 'character-device'] as const)('a %s is not a regular file', async (type) => {
    const { target } = await unpacked(await tarOf([{ name: STORE, type, linkname: '/etc/shadow' }]));
    expect(() => readLearnerFile(target, STORE)).toThrow('is not a regular file');
  });
});

describe('what would take for ever is refused', () => {
  /** gzip members that stand one after another are one stream. RFC 1952, 2.2. */
  function repeated(first: Buffer, piece: Buffer, times: number): string {
    const file = path.join(folder, `${count++}.tar.gz`);
    const packed = zlib.gzipSync(piece, { level: 1 });
    fs.writeFileSync(file, Buffer.concat([zlib.gzipSync(first), ...Array.from({ length: times }, () => packed)]));
    return file;
  }

  async function headerOf(size: number): Promise<Buffer> {
    const archive = pack();
    archive.entry({ name: 'zeros', size });
    for await (const header of archive) return header as Buffer;
    throw new Error('The packer wrote nothing.');
  }

  test('a tar that unpacks to more than 512 MiB', async () => {
    const bomb = repeated(await headerOf(2 ** 32), Buffer.alloc(32 << 20), 17);
    await expect(unpacked(bomb)).rejects.toThrow('it holds more than 536870912 bytes');
  });

  test('a tar of more than 50,000 entries', async () => {
    const header = await headerOf(0);
    const thousand = Buffer.concat(Array.from({ length: 1000 }, () => header));
    await expect(unpacked(repeated(header, thousand, 50))).rejects.toThrow('Pack only the folder labs');
  });

  test('a zip that says it has more than 50,000 entries', async () => {
    // Both counts in the end record, which stand 8 bytes behind its signature. APPNOTE 4.3.16.
    const [one, many] = ['\x01\x00\x01\x00', '\x60\xea\x60\xea'];
    const end = 'PK\x05\x06\x00\x00\x00\x00';
    const archive = await zipOf([{ name: STORE }], { [`${end}${one}`]: `${end}${many}` });
    await expect(unpacked(archive)).rejects.toThrow('it has more than 50000 entries');
  });
});

test('an encrypted zip is refused', async () => {
  const archive = await zipOf([{ name: STORE, content: 'x' }]);
  const bytes = fs.readFileSync(archive);
  // Bit 0 of the flags, which stand in the header of the file and in the directory. APPNOTE 4.4.4.
  for (const [signature, offset] of [
    ['PK\x03\x04', 6],
    ['PK\x01\x02', 8],
  ] as const)
    bytes[bytes.indexOf(signature) + offset]! |= 1;
  fs.writeFileSync(archive, bytes);
  await expect(unpacked(archive)).rejects.toThrow('is encrypted');
});
