/** What a layer's archive says about one entry, checked. tar(5); pax(1) for the extended headers. */

import type { Header } from 'tar-stream';
import { HostileArchive } from './confine.ts';

export interface EntryHeader {
  /** As it stands in the archive: `splitName` tells where it belongs. */
  name: string;
  type: Header['type'];
  /** Permission bits, 0…0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since the epoch, with fractions; a Date before it, since node:fs takes a negative number for "now". */
  mtime: number | Date;
  /** Bytes of content. */
  size: number;
  /** Of symbolic and hard links. */
  linkname: string;
  /** Of device nodes. */
  device: { major: number; minor: number };
  xattrs: Map<string, Buffer>;
}

const ID_MAX = 2 ** 32 - 2;
const XATTR = 'SCHILY.xattr.';
const TYPES: ReadonlySet<string | null> = new Set([
  'file',
  'contiguous-file',
  'link',
  'symlink',
  'directory',
  'block-device',
  'character-device',
  'fifo',
]);

/** @throws HostileArchive that names the entry and what is wrong with it. */
export function readHeader(header: Header): EntryHeader {
  const refuse = (why: string): never => {
    throw new HostileArchive(`layer refused: entry "${header.name}" ${why}`);
  };
  // tar-stream hands over the extended headers as an object of strings.
  const pax = (header.pax ?? {}) as Record<string, string>;
  const id = (name: 'uid' | 'gid') => {
    const value = Number(pax[name] ?? header[name]);
    return Number.isInteger(value) && value >= 0 && value <= ID_MAX ? value : refuse(`has the ${name} ${value}`);
  };
  if (!TYPES.has(header.type)) refuse(`is of a kind that layers do not have (${header.type ?? 'unknown to tar'})`);
  if (Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'))) {
    refuse('is in the sparse format, which is not supported; pack the layer without --sparse');
  }
  const isLink = header.type === 'link' || header.type === 'symlink';
  const linkname = header.linkname ?? '';
  if (isLink && linkname === '') refuse('is a link without a target');
  if (linkname.includes('\0') || linkname.includes('\uFFFD')) refuse('is a link whose target is not UTF-8');
  const xattrs = Object.entries(pax).filter(([key]) => key.startsWith(XATTR));
  // tar-stream reads the values as UTF-8: what was none is lost, and a half of a capability is none.
  const lost = xattrs.find(([, value]) => value.includes('\uFFFD'));
  if (lost) refuse(`has the attribute ${lost[0].slice(XATTR.length)}, whose value cannot be read`);
  const mtime = Number(pax.mtime ?? header.mtime.getTime() / 1000);
  return {
    name: header.name,
    type: header.type,
    mode: header.mode & 0o7777,
    uid: id('uid'),
    gid: id('gid'),
    mtime: Number.isFinite(mtime) ? (mtime < 0 ? new Date(mtime * 1000) : mtime) : 0,
    size: header.size,
    linkname,
    device: { major: header.devmajor, minor: header.devminor },
    xattrs: new Map(xattrs.map(([key, value]) => [key.slice(XATTR.length), Buffer.from(value)])),
  };
}
