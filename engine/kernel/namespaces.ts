import { systemCall } from './libc.ts';

const setnsCall = systemCall('int setns(int, int)');
const unshareCall = systemCall('int unshare(int)');
const sethostnameCall = systemCall('int sethostname(const char *, size_t)');
const setdomainnameCall = systemCall('int setdomainname(const char *, size_t)');

// linux/sched.h
/** unshare(2): root and working directory of the calling thread become its own. */
export const CLONE_FS = 0x200n;
export const CLONE_NEWTIME = 0x80n;
export const CLONE_NEWNS = 0x20000n;
export const CLONE_NEWCGROUP = 0x2000000n;
export const CLONE_NEWUTS = 0x4000000n;
export const CLONE_NEWIPC = 0x8000000n;
export const CLONE_NEWUSER = 0x10000000n;
export const CLONE_NEWPID = 0x20000000n;
export const CLONE_NEWNET = 0x40000000n;

const kinds: [flag: bigint, name: string][] = [
  [CLONE_NEWTIME, 'time'],
  [CLONE_NEWNS, 'mnt'],
  [CLONE_NEWCGROUP, 'cgroup'],
  [CLONE_NEWUTS, 'uts'],
  [CLONE_NEWIPC, 'ipc'],
  [CLONE_NEWUSER, 'user'],
  [CLONE_NEWPID, 'pid'],
  [CLONE_NEWNET, 'net'],
];

/** For errors: what the flags stand for, by the names of /proc/PID/ns. */
export function namesOf(flags: bigint): string {
  const names = kinds.filter(([flag]) => (flags & flag) !== 0n).map(([, name]) => name);
  return names.length > 0 ? names.join(', ') : `flags 0x${flags.toString(16)}`;
}

/** setns(2). @param fd an open /proc/PID/ns/… file, or a pidfd. @param kind the CLONE_NEW… flag it must be, 0n for any. */
export function setns(fd: number, kind: bigint): void {
  setnsCall(kind === 0n ? `descriptor ${fd}` : namesOf(kind), fd, Number(kind));
}

/** unshare(2): leave the shared namespaces for new ones. With CLONE_NEWPID it is the next child that is in the new one. */
export function unshare(flags: bigint): void {
  unshareCall(namesOf(flags), Number(flags));
}

/** sethostname(2). At most 64 bytes. */
export function setHostname(name: string): void {
  sethostnameCall(name, name, Buffer.byteLength(name));
}

/** setdomainname(2). At most 64 bytes. */
export function setDomainname(name: string): void {
  setdomainnameCall(name, name, Buffer.byteLength(name));
}
