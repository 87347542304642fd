import { KernelError } from './errors.ts';
import { errno, libcFunction, systemCall } from './libc.ts';

const execveCall = systemCall('int execve(const char *, const char **, const char **)');
const chdirCall = systemCall('int chdir(const char *)');
const fchdirCall = systemCall('int fchdir(int)');
const exitCall = libcFunction('void _exit(int)');
const umaskCall = libcFunction('uint32_t umask(uint32_t)');
const setsidCall = systemCall('int setsid()');
const getcwdCall = libcFunction('uintptr_t getcwd(_Out_ uint8_t *, size_t)');

/** execve(2). Returns only by throwing a KernelError. */
export function execve(path: string, args: string[], env: string[]): never {
  execveCall(path, path, [...args, null], [...env, null]);
  throw new Error('unreachable: execve returned without an error');
}

/** _exit(2): end at once, without running anything of Node's. @param code 0…255. */
export function exitNow(code: number): never {
  exitCall(code);
  throw new Error('unreachable: _exit returned');
}

/** chdir(2). */
export function chdir(path: string): void {
  chdirCall(path, path);
}

/** fchdir(2): to the directory that `fd` is open at, be it of another mount namespace. */
export function fchdir(fd: number): void {
  fchdirCall(`descriptor ${fd}`, fd);
}

/** umask(2). @returns the mask from before. */
export function umask(mask: number): number {
  return umaskCall(mask);
}

/** setsid(2): a new session without a controlling terminal. @throws KernelError EPERM for a process group leader. */
export function setsid(): number {
  return setsidCall('');
}

/**
 * getcwd(3). @throws KernelError ENOENT also when the working directory cannot be reached from the root, which is how a
 * process sees that it stands outside of its own.
 */
export function workingDirectory(): string {
  const buffer = Buffer.alloc(4096);
  if (getcwdCall(buffer, buffer.length) === 0) throw new KernelError('getcwd', errno());
  return buffer.toString('utf8', 0, buffer.indexOf(0));
}
