/** One entry of an archive, as its header and the extended headers before it describe it together: checked. */

import type { PaxRecords } from './pax.ts';
import { HostileArchive, type RawHeader } from './tar-header.ts';

export type EntryType = 'file' | 'link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

export interface EntryHeader {
  /** As it stands in the archive, without slashes at its end: `splitName` tells where it belongs. */
  name: string;
  type: EntryType;
  /** Permission bits, 0…0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since the epoch. */
  mtime: bigint;
  /** Bytes of the file; of a sparse one with its holes. */
  size: number;
  /** Of symbolic and hard links. */
  linkname: string;
  /** Of device nodes. */
  device: { major: number; minor: number };
  xattrs: Map<string, Buffer>;
}

const ID_MAX = 2 ** 32 - 2;
const XATTR = 'SCHILY.xattr.';
/** PATH_MAX, NAME_MAX: no kernel call takes longer ones. */
const PATH_MAX = 4096;
const DEVICE_MAX = 2 ** 32 - 1;
/** What file systems can tell apart: 34 bits of seconds on ext4, from the year 1901 to 2446. */
const SECONDS_MAX = 2 ** 40;

const TYPES: Record<string, EntryType> = {
  '0': 'file',
  '\0': 'file',
  // A file that asks to lie contiguously on the disk.
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  // GNU's old sparse format.
  S: 'file',
};

/** What GNU's long-name entries said of the next one. */
export interface LongNames {
  name?: Buffer;
  linkname?: Buffer;
}

/** @throws HostileArchive that names the entry and what is wrong with it. */
export function describeEntry(raw: RawHeader, pax: PaxRecords, long: LongNames): EntryHeader {
  const rawName = pax.get('GNU.sparse.name') ?? pax.get('path') ?? long.name ?? raw.name;
  const shown = JSON.stringify(rawName.toString('utf8', 0, 200));
  const refuse = (why: string): never => {
    throw new HostileArchive(`layer refused: entry ${shown} ${why}`);
  };
  const text = (bytes: Buffer, what: string): string => {
    if (bytes.length >= PATH_MAX) refuse(`has a ${what} of ${bytes.length} bytes; the kernel takes ${PATH_MAX - 1}`);
    if (bytes.includes(0)) refuse(`has a NUL in its ${what}`);
    const decoded = bytes.toString('utf8');
    // U+FFFD stands for what is not UTF-8: the true name is lost.
    if (decoded.includes('\uFFFD')) refuse(`has a ${what} that is not UTF-8`);
    return decoded;
  };
  const integer = (key: string, value: number, most: number): number => {
    const given = pax.get(key)?.toString('latin1');
    const number = given === undefined ? value : /^\d{1,16}$/.test(given) ? Number(given) : -1;
    return number >= 0 && number <= most ? number : refuse(`has the ${key} ${given ?? value}`);
  };
  const name = text(rawName, 'name');
  const listed = TYPES[raw.flag] ?? refuse(`is of a kind that layers do not have (${JSON.stringify(raw.flag)})`);
  // Before POSIX had a flag for directories, a slash at the end of the name said it.
  const type = raw.flag === '\0' && name.endsWith('/') ? 'directory' : listed;
  const isLink = type === 'link' || type === 'symlink';
  const linkname = isLink ? text(pax.get('linkpath') ?? long.linkname ?? raw.linkname, 'link target') : '';
  if (isLink && linkname === '') refuse('is a link without a target');
  const isDevice = type === 'character-device' || type === 'block-device';
  for (const number of [raw.major, raw.minor])
    if (isDevice && (number < 0 || number > DEVICE_MAX)) refuse(`is device ${raw.major}:${raw.minor}`);
  return {
    name: withoutSlashes(name),
    type,
    mode: raw.mode & 0o7777,
    uid: integer('uid', raw.uid, ID_MAX),
    gid: integer('gid', raw.gid, ID_MAX),
    mtime:
      timeOf(pax.get('mtime')?.toString('latin1'), raw.mtime) ?? refuse('has a time that is not a number of seconds'),
    size: type === 'file' ? integer('size', raw.size, Number.MAX_SAFE_INTEGER) : 0,
    linkname,
    device: isDevice ? { major: raw.major, minor: raw.minor } : { major: 0, minor: 0 },
    xattrs: xattrsOf(pax),
  };
}

/** Without the slashes at its end. By hand: an expression would begin again at each of a thousand slashes in the middle. */
function withoutSlashes(name: string): string {
  let end = name.length;
  while (end > 0 && name[end - 1] === '/') end -= 1;
  return end === 0 && name !== '' ? '/' : name.slice(0, end) + (end < name.length && name.startsWith('/') ? '/' : '');
}

/** How many bytes of content follow the header. Directories and links of some archivers have a size but no content. */
export function contentSize(raw: RawHeader, pax: PaxRecords): number {
  const given = pax.get('size')?.toString('latin1');
  const size = given === undefined ? raw.size : /^\d{1,16}$/.test(given) ? Number(given) : -1;
  if (size < 0 || size > Number.MAX_SAFE_INTEGER - 512)
    throw new HostileArchive(
      `layer refused: entry ${JSON.stringify(raw.name.toString('utf8'))} has the size ${given ?? size}`,
    );
  return '123456'.includes(raw.flag) ? 0 : size;
}

/** `SECONDS.FRACTION` of a record, or the header's own seconds. */
function timeOf(record: string | undefined, seconds: number): bigint | undefined {
  const match = /^(-?)(\d{1,13})(?:\.(\d*))?$/.exec(record ?? String(seconds));
  if (!match || Number(match[2]) > SECONDS_MAX) return undefined;
  const nanoseconds = BigInt(match[2]!) * 1_000_000_000n + BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  return match[1] === '-' ? -nanoseconds : nanoseconds;
}

function xattrsOf(pax: PaxRecords): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of pax) if (key.startsWith(XATTR)) xattrs.set(key.slice(XATTR.length), value);
  return xattrs;
}
