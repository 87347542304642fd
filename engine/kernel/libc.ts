/** The one door to libc. Everything that crosses it is a number, a string, a Buffer or an array of these. */

import koffi from 'koffi';
import { KernelError } from './errors.ts';

/** Without Linux the pure labs still have to load this file; only a call fails, since no kernel answers it. */
const libc = process.platform === 'linux' ? koffi.load('libc.so.6') : null;

type Bound = (...args: unknown[]) => unknown;

function bind(prototype: string): Bound {
  if (libc !== null) return libc.func(prototype);
  return () => {
    throw new Error(`${prototype.split('(')[0]} is a call to the Linux kernel, and this is ${process.platform}.`);
  };
}

type Argument = number | bigint | string | null | Buffer | (number | string | null)[];

/**
 * A libc function by its C prototype. The result is a number; errno is not looked at.
 * On the Linux calling conventions of x86-64 and arm64 a variadic function takes fixed arguments the same way.
 */
export function libcFunction(prototype: string): (...args: Argument[]) => number {
  const bound = bind(prototype);
  return (...args) => Number(bound(...args));
}

/** A libc function that answers −1 when it fails: the result, or a KernelError. `subject` names what it was asked about. */
export function systemCall(prototype: string): (subject: string, ...args: Argument[]) => number {
  const bound = bind(prototype);
  const name = /(\w+)\s*\(/.exec(prototype)?.[1] ?? prototype;
  return (subject, ...args) => {
    const result = Number(bound(...args));
    if (result < 0) throw new KernelError(name, koffi.errno(), subject);
    return result;
  };
}

const syscall = bind('long syscall(long, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t)');

/**
 * A system call without a libc wrapper, or one whose wrapper must not be used after a bare clone: glibc's setuid
 * family signals every thread the parent had and would wait for them for ever.
 * Buffers and strings are passed by address.
 */
export function rawSystemCall(
  name: keyof typeof numbers,
  subject: string,
  ...args: (number | bigint | Buffer)[]
): number {
  const words = args.map((arg) => (Buffer.isBuffer(arg) ? koffi.address(arg) : BigInt.asUintN(64, BigInt(arg))));
  while (words.length < 6) words.push(0n);
  const result = Number(syscall(numbers[name], ...words));
  if (result < 0) throw new KernelError(name, koffi.errno(), subject);
  return result;
}

/** From asm/unistd.h. Since Linux 5.0 new calls have one number on every architecture; the older ones do not. */
const numbers = {
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  pidfd_open: 434,
  clone3: 435,
  close_range: 436,
  openat2: 437,
  pidfd_getfd: 438,
  mount_setattr: 442,
  quotactl_fd: 443,
  ...(process.arch === 'arm64'
    ? {
        setresuid: 147,
        setresgid: 149,
        setfsuid: 151,
        setfsgid: 152,
        setgroups: 159,
        seccomp: 277,
        bpf: 280,
        execveat: 281,
      }
    : {
        setresuid: 117,
        setresgid: 119,
        setfsuid: 122,
        setfsgid: 123,
        setgroups: 116,
        seccomp: 317,
        bpf: 321,
        execveat: 322,
      }),
} as const;

/** A NUL-terminated string to pass by address. */
export function cString(text: string): Buffer {
  if (text.includes('\0'))
    throw new TypeError(`A string for the kernel cannot hold a NUL byte: ${JSON.stringify(text)}`);
  return Buffer.from(`${text}\0`);
}

export function addressOf(buffer: Buffer): bigint {
  return koffi.address(buffer);
}

/** errno(3) of the last call. */
export function errno(): number {
  return koffi.errno();
}
