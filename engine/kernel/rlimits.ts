import { systemCall } from './libc.ts';

const prlimitCall = systemCall('int prlimit64(int, int, const void *, void *)');

/** asm-generic/resource.h; the same on x86-64 and arm64. */
export const rlimitNumbers: Record<string, number> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
};

const RLIM_INFINITY = 0xffffffffffffffffn;

/** Infinity stands for RLIM_INFINITY. */
export interface RlimitValues {
  soft: number;
  hard: number;
}

/** prlimit(2). @param pid 0 for the caller. @throws KernelError EPERM when `hard` is raised without CAP_SYS_RESOURCE. */
export function setRlimit(pid: number, name: string, { soft, hard }: RlimitValues): void {
  const limit = Buffer.alloc(16);
  limit.writeBigUInt64LE(encode(soft), 0);
  limit.writeBigUInt64LE(encode(hard), 8);
  prlimitCall(name, pid, numberOf(name), limit, null);
}

/** prlimit(2). @param pid 0 for the caller. */
export function getRlimit(pid: number, name: string): RlimitValues {
  const limit = Buffer.alloc(16);
  prlimitCall(name, pid, numberOf(name), null, limit);
  return { soft: decode(limit.readBigUInt64LE(0)), hard: decode(limit.readBigUInt64LE(8)) };
}

function numberOf(name: string): number {
  const number = rlimitNumbers[name];
  if (number === undefined)
    throw new Error(`There is no resource limit ${name}; the kernel has ${Object.keys(rlimitNumbers).join(', ')}.`);
  return number;
}

function encode(value: number): bigint {
  return value === Number.POSITIVE_INFINITY ? RLIM_INFINITY : BigInt(value);
}

function decode(value: bigint): number {
  return value === RLIM_INFINITY ? Number.POSITIVE_INFINITY : Number(value);
}
