import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { UnexpectedEnd } from '#contract/byte-reader';
import { packEntries } from './archive.ts';
import { formatPax, parsePax } from './pax.ts';
import type { EntryHeader } from './tar-entry.ts';
import { HostileArchive, writeHeader } from './tar-header.ts';
import { type TarLimits, TarReader } from './tar-reader.ts';

interface Block {
  flag?: string;
  name?: string;
  size?: number;
  content?: Buffer;
  /** Changes the finished block; the checksum is made right again. */
  patch?: (block: Buffer) => void;
}

/** One header by hand, with its content. */
function entry({ flag = '0', name = 'a', content = Buffer.alloc(0), size = content.length, patch }: Block): Buffer {
  const block = Buffer.alloc(512);
  writeHeader(block, { name: Buffer.from(name), flag, mode: 0o644, uid: 0, gid: 0, size, mtime: 0 });
  patch?.(block);
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const pax = (records: Record<string, string | Buffer>, flag = 'x') =>
  entry({ flag, name: 'PaxHeader', content: formatPax(new Map(Object.entries(records))) });
const end = Buffer.alloc(1024);

async function entriesOf(tar: Buffer | AsyncIterable<Buffer>, limits?: TarLimits): Promise<EntryHeader[]> {
  const reader = new TarReader(Buffer.isBuffer(tar) ? Readable.from([tar]) : tar, limits);
  const headers: EntryHeader[] = [];
  for (let header = await reader.next(); header; header = await reader.next()) headers.push(header);
  return headers;
}

const archive = (...parts: Buffer[]) => Buffer.concat([...parts, end]);

test('a source may use one buffer again and again, wherever its chunks end', async () => {
  const names = Array.from({ length: 20 }, (_, index) => `file-${index}`);
  const tar = archive(
    ...names.flatMap((name) => [pax({ comment: name }), entry({ name, content: Buffer.from(name) })]),
  );
  for (const size of [1, 7, 511, 513, 700, 1000, 5000]) {
    const source = async function* () {
      const buffer = Buffer.alloc(size);
      for (let at = 0; at < tar.length; at += size) yield buffer.subarray(0, tar.copy(buffer, 0, at));
    };
    const reader = new TarReader(source());
    const found: string[] = [];
    for (let header = await reader.next(); header; header = await reader.next()) {
      let content = '';
      for (let piece = await reader.read(); piece; piece = await reader.read()) content += piece.data.toString();
      found.push(`${header.name}=${content}`);
    }
    expect(found, `chunks of ${size}`).toEqual(names.map((name) => `${name}=${name}`));
  }
});

describe('what headers can say', () => {
  test('records of a pax header are about one entry, and those of a global one are ignored', async () => {
    const tar = archive(
      entry({ name: 'before' }),
      pax({ comment: 'of the archive', mtime: '1.5', uid: '70000000' }, 'g'),
      pax({ path: 'long', mtime: '1234567890.123456789' }),
      entry({}),
      entry({ name: 'after' }),
    );
    expect(await entriesOf(tar)).toMatchObject([
      { name: 'before', mtime: 0n, uid: 0 },
      { name: 'long', mtime: 1_234_567_890_123_456_789n, uid: 0 },
      { name: 'after', mtime: 0n, uid: 0 },
    ]);
  });

  test('long names of GNU tar are about the next entry', async () => {
    const [name, link] = ['n'.repeat(300), 'l'.repeat(300)];
    const tar = archive(
      entry({ flag: 'L', name: '././@LongLink', content: Buffer.from(`${name}\0`) }),
      entry({ flag: 'K', name: '././@LongLink', content: Buffer.from(`${link}\0`) }),
      entry({ flag: '2' }),
      entry({ name: 'short' }),
    );
    expect(await entriesOf(tar)).toMatchObject([{ name, linkname: link }, { name: 'short' }]);
  });

  test('an attribute is bytes, also those that are not text', async () => {
    const value = Buffer.from([0, 0xff, 0x0a, 0x3d, 0x20]);
    const [header] = await entriesOf(archive(pax({ 'SCHILY.xattr.security.capability': value }), entry({})));
    expect(header!.xattrs.get('security.capability')).toEqual(value);
  });

  test('the length of a record counts its own digits', () => {
    for (let length = 0; length < 1200; length++) {
      const records = new Map([['k', 'v'.repeat(length)]]);
      const text = formatPax(records);
      expect(Number(text.toString().split(' ')[0])).toBe(text.length);
      expect(`${parsePax(text).records.get('k')}`).toBe(records.get('k'));
    }
  });

  test('content that nobody reads is passed over, and so is what follows the end', async () => {
    const files = ['a', 'b', 'c'].map((path) => ({
      type: 'file' as const,
      path,
      mode: 0o644,
      mtime: new Date(0),
      content: Buffer.alloc(1500, path),
    }));
    const tar = Buffer.concat([...packEntries(files), Buffer.alloc(10_240), Buffer.from('rubbish')]);
    expect((await entriesOf(tar)).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });
});

/** A header says that a gigabyte of records follows. If somebody believed it, the test would take that memory. */
async function* endless(start: Buffer): AsyncGenerator<Buffer> {
  yield start;
  for (;;) yield Buffer.alloc(1 << 20, '9');
}

describe('hostile headers are refused before they cost anything', () => {
  test.each<[string, () => Buffer | AsyncIterable<Buffer>, RegExp]>([
    [
      'an extended header of a gigabyte',
      () => endless(entry({ flag: 'x', size: 2 ** 30 })),
      /extended headers of more than 1048576 bytes/,
    ],
    ['a long name of a gigabyte', () => endless(entry({ flag: 'L', size: 2 ** 30 })), /extended headers of more than/],
    [
      'extended headers without end',
      () => Buffer.concat(Array.from({ length: 1100 }, () => pax({ comment: 'x'.repeat(900) }))),
      /extended headers of more than/,
    ],
    ['a negative size', () => entry({ patch: (block) => block.fill(0xff, 124, 136) }), /size/],
    ['a negative size in a record', () => Buffer.concat([pax({ size: '-1' }), entry({})]), /size/],
    ['a size that is not a number', () => Buffer.concat([pax({ size: '0x10' }), entry({})]), /size/],
    ['a size beyond every number', () => Buffer.concat([pax({ size: '9'.repeat(16) }), entry({})]), /size/],
    ['an owner beyond 32 bits', () => Buffer.concat([pax({ uid: '4294967295' }), entry({})]), /uid/],
    ['a time that is not a number', () => Buffer.concat([pax({ mtime: '1e9' }), entry({})]), /time/],
    ['a time in a far age', () => Buffer.concat([pax({ mtime: '9999999999999' }), entry({})]), /time/],
    ['a NUL in a name', () => Buffer.concat([pax({ path: 'a\0b' }), entry({})]), /NUL/],
    ['a name that is not UTF-8', () => Buffer.concat([pax({ path: Buffer.from([0xff]) }), entry({})]), /UTF-8/],
    [
      'a name longer than any path',
      () => Buffer.concat([pax({ path: 'a/'.repeat(3000) }), entry({})]),
      /name of 6000 bytes/,
    ],
    [
      'a record that is longer than its header',
      () => entry({ flag: 'x', content: Buffer.from('99 path=a\n') }),
      /extended header is damaged/,
    ],
    [
      'a record of no length',
      () => entry({ flag: 'x', content: Buffer.from('0 path=a\n') }),
      /extended header is damaged/,
    ],
    [
      'a record without a line end',
      () => entry({ flag: 'x', content: Buffer.from('8 path=ab') }),
      /extended header is damaged/,
    ],
    ['an entry of no known kind', () => entry({ flag: 'M' }), /kind that layers do not have/],
    [
      'holes that lie outside of the file',
      () =>
        Buffer.concat([
          pax({ 'GNU.sparse.size': '10', 'GNU.sparse.map': '5,10' }),
          entry({ content: Buffer.alloc(10) }),
        ]),
      /map of its holes/,
    ],
    [
      'holes that overlap',
      () =>
        Buffer.concat([
          pax({ 'GNU.sparse.size': '100', 'GNU.sparse.map': '50,10,0,10' }),
          entry({ content: Buffer.alloc(20) }),
        ]),
      /map of its holes/,
    ],
    [
      'holes that the content does not fill',
      () =>
        Buffer.concat([
          pax({ 'GNU.sparse.size': '100', 'GNU.sparse.map': '0,10' }),
          entry({ content: Buffer.alloc(20) }),
        ]),
      /not the bytes that its map of holes names/,
    ],
    [
      'a map of more pieces than there is content',
      () =>
        Buffer.concat([
          pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' }),
          entry({ content: Buffer.from('99999999\n'.padEnd(512, '\0')) }),
        ]),
      /map of its holes/,
    ],
  ])('%s', async (_, tar, message) => {
    const reading = entriesOf(tar());
    await expect(reading).rejects.toThrow(HostileArchive);
    await expect(reading).rejects.toThrow(message);
  });

  test('more entries than anybody needs', async () => {
    const tar = archive(...Array.from({ length: 11 }, () => entry({})));
    expect(await entriesOf(tar, { entries: 11 })).toHaveLength(11);
    await expect(entriesOf(tar, { entries: 10 })).rejects.toThrow(/more than 10 entries/);
  });

  test.each([
    ['in a header', 300],
    ['after a header', 512],
    ['in the content', 1000],
    ['a byte before the content ends', 512 + 1536],
  ])('an archive that is cut off %s is not taken for a whole one', async (_, length) => {
    const tar = archive(entry({ content: Buffer.alloc(1537, 'x') })).subarray(0, length);
    await expect(entriesOf(tar)).rejects.toThrow(UnexpectedEnd);
  });

  test.each([
    ['without any fill', 512 + 1537],
    ['in the fill', 2100],
  ])('an archive that ends after the content of its last entry, %s, is whole: umoci writes such', async (_, length) => {
    const tar = archive(entry({ content: Buffer.alloc(1537, 'x') })).subarray(0, length);
    expect(await entriesOf(tar)).toMatchObject([{ size: 1537 }]);
  });

  test('an extended header needs its entry', async () => {
    await expect(entriesOf(archive(pax({ path: 'a' })))).rejects.toThrow(UnexpectedEnd);
  });
});
