/** The 512-byte blocks that begin the entries of a tar: tar(5), "POSIX ustar Archives" and "GNU tar Archives". */

export const BLOCK_SIZE = 512;

/** An archive that tries to reach out of the directory it is unpacked in, or is not a sensible archive at all. */
export class HostileArchive extends Error {
  readonly code = 'ARCHIVE_REFUSED';
  override readonly name = 'HostileArchive';
}

/** Whether these bytes begin a tar, as every archiver since 1988 writes it. */
export function beginsTar(bytes: Buffer): boolean {
  return bytes.length >= BLOCK_SIZE && bytes.toString('latin1', 257, 262) === 'ustar';
}

/** What stands in one block. The extended headers before it may say otherwise. */
export interface RawHeader {
  name: Buffer;
  /** The type flag, one character: `0` file, `1` hard link, `5` directory, `x` extended header, … */
  flag: string;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes that follow in the archive. */
  size: number;
  /** Seconds since the epoch. */
  mtime: number;
  linkname: Buffer;
  major: number;
  minor: number;
  /** `gnu` has a sparse map where `ustar` has its prefix; `v7` has neither. */
  dialect: 'ustar' | 'gnu' | 'v7';
}

/** Where the fields are: offset and length. */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  flag: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;

type Field = keyof typeof FIELDS;

/** Each number's field less its terminator, in octal digits. */
export const OCTAL_MAX = { id: 0o7777777, size: 0o77777777777 } as const;

/**
 * @param block 512 bytes.
 * @returns null for a block of zeros, two of which end an archive.
 * @throws HostileArchive when the checksum or a number does not hold.
 */
export function parseHeader(block: Buffer): RawHeader | null {
  const sum = checksum(block);
  if (sum === BLANK_SUM && block.every((byte) => byte === 0)) return null;
  if (!isOctal(block.subarray(148, 156)) || number(block, 'checksum') !== sum) throw new HostileArchive(NO_TAR);
  const magic = block.toString('latin1', 257, 265);
  const dialect = magic.startsWith('ustar\0') ? 'ustar' : magic.startsWith('ustar ') ? 'gnu' : 'v7';
  const prefix = dialect === 'ustar' ? text(block, 'prefix') : EMPTY;
  const name = text(block, 'name');
  return {
    name: prefix.length > 0 ? Buffer.concat([prefix, SLASH, name]) : name,
    flag: String.fromCharCode(block[156]!),
    mode: number(block, 'mode'),
    uid: number(block, 'uid'),
    gid: number(block, 'gid'),
    size: number(block, 'size'),
    mtime: number(block, 'mtime'),
    linkname: text(block, 'linkname'),
    major: dialect === 'v7' ? 0 : number(block, 'major'),
    minor: dialect === 'v7' ? 0 : number(block, 'minor'),
    dialect,
  };
}

const NO_TAR = 'layer refused: it is not a tar archive, or a damaged one: the checksum of a header is wrong';
const EMPTY = Buffer.alloc(0);
const SLASH = Buffer.from('/');
/** The sum of a block of zeros: its checksum field counts as blanks. */
const BLANK_SUM = 8 * 0x20;

/** All bytes added up, with blanks for the checksum itself. */
function checksum(block: Buffer): number {
  let sum = BLANK_SUM;
  for (let i = 0; i < 148; i++) sum += block[i]!;
  for (let i = 156; i < BLOCK_SIZE; i++) sum += block[i]!;
  return sum;
}

function isOctal(field: Buffer): boolean {
  return field.every((byte) => byte === 0 || byte === 0x20 || (byte >= 0x30 && byte <= 0x37));
}

/** Up to the first NUL; a field that is full has none. */
function text(block: Buffer, field: Field): Buffer {
  const [offset, length] = FIELDS[field];
  const end = block.indexOf(0, offset);
  return Buffer.from(block.subarray(offset, end < 0 || end > offset + length ? offset + length : end));
}

function number(block: Buffer, field: Field): number {
  const [offset, length] = FIELDS[field];
  return parseNumber(block.subarray(offset, offset + length), field);
}

/**
 * Octal digits between blanks and NULs; or base-256, marked by the highest bit: big-endian, two's complement.
 * @throws HostileArchive for anything else, and beyond ±2⁵³.
 */
export function parseNumber(field: Buffer, name: string): number {
  const first = field[0]!;
  if (first & 0x80) {
    let value = first & 0x40 ? BigInt(first & 0x7f) - 0x80n : BigInt(first & 0x7f);
    for (let i = 1; i < field.length; i++) value = (value << 8n) | BigInt(field[i]!);
    const small = Number(value);
    if (!Number.isSafeInteger(small)) throw new HostileArchive(`layer refused: a header has the ${name} ${value}`);
    return small;
  }
  let at = 0;
  while (at < field.length && (field[at] === 0x20 || field[at] === 0)) at += 1;
  let value = 0;
  for (; at < field.length && field[at] !== 0x20 && field[at] !== 0; at += 1) {
    const digit = field[at]! - 0x30;
    if (digit < 0 || digit > 7)
      throw new HostileArchive(`layer refused: a header has a ${name} that is not an octal number: ${show(field)}`);
    value = value * 8 + digit;
  }
  return value;
}

function show(field: Buffer): string {
  return JSON.stringify(field.toString('latin1').replace(/\0+$/, ''));
}

/** What a block is written from. Every value has to fit: what does not belongs into an extended header. */
export interface BlockValues {
  name: Buffer;
  flag: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  linkname?: Buffer;
  device?: { major: number; minor: number };
}

/** Write a ustar header into `block`, 512 bytes of zeros. */
export function writeHeader(block: Buffer, values: BlockValues): void {
  values.name.copy(block, 0, 0, 100);
  octal(block, 'mode', values.mode);
  octal(block, 'uid', values.uid);
  octal(block, 'gid', values.gid);
  octal(block, 'size', values.size);
  octal(block, 'mtime', values.mtime);
  block.write(values.flag, 156, 'latin1');
  values.linkname?.copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  octal(block, 'major', values.device?.major ?? 0);
  octal(block, 'minor', values.device?.minor ?? 0);
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

function octal(block: Buffer, field: Field, value: number): void {
  const [offset, length] = FIELDS[field];
  block.write(value.toString(8).padStart(length - 1, '0'), offset, length - 1, 'latin1');
}
