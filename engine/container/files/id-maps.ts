/** Owners inside a user namespace and as the host sees them. user_namespaces(7), "User and group ID mappings". */

import fs from 'node:fs';
import { type IdKind, readIdMap } from '#kernel/user-namespace';
import type { IdMapping } from '../../runtime/spec.ts';

export type IdMaps = Record<IdKind, IdMapping[]>;

/** What stat(2) shows of an owner whom a user namespace does not have. /proc/sys/kernel/overflowuid. */
const NOBODY = 65_534;

/** @returns undefined for a process in this one's user namespace. */
export function idMapsOf(pid: number): IdMaps | undefined {
  if (fs.readlinkSync(`/proc/${pid}/ns/user`) === fs.readlinkSync('/proc/self/ns/user')) return undefined;
  return { uid: readIdMap(pid, 'uid'), gid: readIdMap(pid, 'gid') };
}

/** Whom the container calls what the host calls `id`. */
export function idInside(maps: IdMaps | undefined, kind: IdKind, id: number): number {
  if (maps === undefined) return id;
  const range = maps[kind].find(({ hostID, size }) => hostID <= id && id < hostID + size);
  return range ? range.containerID + (id - range.hostID) : NOBODY;
}

/** The other way. @throws Error for an id that the namespace does not have. */
export function idOutside(maps: IdMaps | undefined, kind: IdKind, id: number): number {
  if (maps === undefined) return id;
  const range = maps[kind].find(({ containerID, size }) => containerID <= id && id < containerID + size);
  if (range === undefined)
    throw new Error(
      `the container has no ${kind} ${id}: its user namespace has fewer ids. Give --userns-remap's user a larger range in /etc/sub${kind}.`,
    );
  return range.hostID + (id - range.containerID);
}

const CAPABILITY = 'security.capability';
const VFS_CAP_REVISION_MASK = 0xff000000;
const VFS_CAP_REVISION_2 = 0x02000000;
const VFS_CAP_REVISION_3 = 0x03000000;
/** Of a struct vfs_cap_data; a struct vfs_ns_cap_data has the namespace's root behind that. linux/capability.h. */
const VFS_CAP_BYTES = 20;

/**
 * A file's capabilities as its namespace's root has them: without saying whose they are. capabilities(7), "File capability
 * extended attribute versioning".
 */
export function capabilityInside(maps: IdMaps | undefined, attributes: Map<string, Buffer>): Map<string, Buffer> {
  const value = attributes.get(CAPABILITY);
  if (maps === undefined || value === undefined || revisionOf(value) !== VFS_CAP_REVISION_3) return attributes;
  if (idInside(maps, 'uid', value.readUInt32LE(VFS_CAP_BYTES)) !== 0) return attributes;
  return new Map(attributes).set(CAPABILITY, ofRevision(VFS_CAP_REVISION_2, value));
}

/** The other way: they count for root of the namespace, and not for the host's. */
export function capabilityOutside(maps: IdMaps | undefined, attributes: Map<string, Buffer>): Map<string, Buffer> {
  const value = attributes.get(CAPABILITY);
  if (maps === undefined || value === undefined || revisionOf(value) !== VFS_CAP_REVISION_2) return attributes;
  const root = Buffer.alloc(4);
  root.writeUInt32LE(idOutside(maps, 'uid', 0));
  return new Map(attributes).set(CAPABILITY, Buffer.concat([ofRevision(VFS_CAP_REVISION_3, value), root]));
}

/** @returns 0 for what is neither. */
function revisionOf(value: Buffer): number {
  const revision = value.length < 4 ? 0 : (value.readUInt32LE(0) & VFS_CAP_REVISION_MASK) >>> 0;
  const bytes = revision === VFS_CAP_REVISION_3 ? VFS_CAP_BYTES + 4 : VFS_CAP_BYTES;
  return value.length === bytes ? revision : 0;
}

function ofRevision(revision: number, value: Buffer): Buffer {
  const other = Buffer.from(value.subarray(0, VFS_CAP_BYTES));
  other.writeUInt32LE(((other.readUInt32LE(0) & ~VFS_CAP_REVISION_MASK) | revision) >>> 0, 0);
  return other;
}
