import { rawSystemCall, systemCall } from './libc.ts';

const prctlCall = systemCall('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
const capsetCall = systemCall('int capset(const void *, const void *)');
const capgetCall = systemCall('int capget(void *, void *)');

// linux/prctl.h
export const PR_SET_PDEATHSIG = 1;
export const PR_SET_DUMPABLE = 4;
export const PR_SET_KEEPCAPS = 8;
export const PR_SET_NAME = 15;
export const PR_CAPBSET_READ = 23;
export const PR_CAPBSET_DROP = 24;
export const PR_SET_CHILD_SUBREAPER = 36;
export const PR_SET_NO_NEW_PRIVS = 38;
export const PR_CAP_AMBIENT = 47;
export const PR_CAP_AMBIENT_RAISE = 2;
export const PR_CAP_AMBIENT_CLEAR_ALL = 4;

const options: Record<number, string> = {
  [PR_SET_PDEATHSIG]: 'PR_SET_PDEATHSIG',
  [PR_SET_DUMPABLE]: 'PR_SET_DUMPABLE',
  [PR_SET_KEEPCAPS]: 'PR_SET_KEEPCAPS',
  [PR_SET_NAME]: 'PR_SET_NAME',
  [PR_CAPBSET_READ]: 'PR_CAPBSET_READ',
  [PR_CAPBSET_DROP]: 'PR_CAPBSET_DROP',
  [PR_SET_CHILD_SUBREAPER]: 'PR_SET_CHILD_SUBREAPER',
  [PR_SET_NO_NEW_PRIVS]: 'PR_SET_NO_NEW_PRIVS',
  [PR_CAP_AMBIENT]: 'PR_CAP_AMBIENT',
};

/** prctl(2) with whole-number arguments. @returns what the option answers. */
export function prctl(option: number, arg2 = 0, arg3 = 0): number {
  return prctlCall(`${options[option] ?? `option ${option}`} ${arg2}`, option, arg2, arg3, 0, 0);
}

/** Real, effective and saved uid at once, for the calling thread. setresuid(2). */
export function setUid(uid: number): void {
  rawSystemCall('setresuid', String(uid), uid, uid, uid);
}

/** Real, effective and saved gid at once, for the calling thread. setresgid(2). */
export function setGid(gid: number): void {
  rawSystemCall('setresgid', String(gid), gid, gid, gid);
}

/**
 * Whose files this thread makes and reaches from now on, while it stays who it is. Root that becomes somebody else so loses
 * the capabilities over files from its effective set, and may take them back. setfsuid(2), setfsgid(2).
 * @throws Error when the ids are not of this user namespace: the calls themselves only ever answer who it was before.
 */
export function setFileSystemIds(uid: number, gid: number): void {
  rawSystemCall('setfsgid', String(gid), gid);
  rawSystemCall('setfsuid', String(uid), uid);
  const nobody = -1;
  if (rawSystemCall('setfsuid', '', nobody) !== uid || rawSystemCall('setfsgid', '', nobody) !== gid)
    throw new Error(`setfsuid: the ids ${uid}:${gid} cannot be taken here.`);
}

/** The supplementary groups, at most 65536. setgroups(2). */
export function setGroups(gids: number[]): void {
  const list = Buffer.alloc(Math.max(4, gids.length * 4));
  for (const [index, gid] of gids.entries()) list.writeUInt32LE(gid, index * 4);
  rawSystemCall('setgroups', gids.join(','), gids.length, list);
}

/** Bit n stands for capability n of linux/capability.h. */
export interface CapabilityMasks {
  effective: bigint;
  permitted: bigint;
  inheritable: bigint;
}

const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** capset(2) on the calling thread. */
export function setCapabilities({ effective, permitted, inheritable }: CapabilityMasks): void {
  const data = Buffer.alloc(24); // two struct __user_cap_data_struct, low words first
  [effective, permitted, inheritable].forEach((mask, index) => {
    data.writeUInt32LE(Number(mask & 0xffffffffn), index * 4);
    data.writeUInt32LE(Number(mask >> 32n), 12 + index * 4);
  });
  capsetCall('', capabilityHeader(), data);
}

/** capget(2) of the calling thread. */
export function getCapabilities(): CapabilityMasks {
  const data = Buffer.alloc(24);
  capgetCall('', capabilityHeader(), data);
  const word = (index: number) =>
    BigInt(data.readUInt32LE(index * 4)) | (BigInt(data.readUInt32LE(12 + index * 4)) << 32n);
  return { effective: word(0), permitted: word(1), inheritable: word(2) };
}

function capabilityHeader(): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0);
  return header;
}
