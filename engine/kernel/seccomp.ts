/** A filter on the calling thread's system calls. seccomp(2). */

import { addressOf, rawSystemCall } from './libc.ts';

// linux/seccomp.h
const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_FILTER_FLAG_TSYNC = 1;
export const SECCOMP_FILTER_FLAG_LOG = 2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;

const INSTRUCTION_BYTES = 8; // struct sock_filter, linux/filter.h

/**
 * From now on the kernel asks `program` about every system call of the thread and of all it will fork or execute.
 * There is no way back; further filters can only add to it.
 * @param program an array of struct sock_filter, at most 4096. @param flags SECCOMP_FILTER_FLAG_… or'ed together.
 * @throws KernelError EACCES when the thread has neither no_new_privs nor CAP_SYS_ADMIN in its user namespace, EINVAL
 *   when the kernel takes no such program or does not know a flag.
 */
export function setSeccompFilter(program: Buffer, flags: number): void {
  const fprog = Buffer.alloc(16); // struct sock_fprog
  fprog.writeUInt16LE(program.length / INSTRUCTION_BYTES, 0);
  fprog.writeBigUInt64LE(addressOf(program), 8);
  const subject = `SECCOMP_SET_MODE_FILTER with ${program.length / INSTRUCTION_BYTES} instructions`;
  const thread = rawSystemCall('seccomp', subject, SECCOMP_SET_MODE_FILTER, flags, fprog);
  // With TSYNC the kernel does not fail but names the first thread that it could not bring along.
  if (thread > 0)
    throw new Error(`seccomp: thread ${thread} has a filter of its own, so TSYNC could not set this one.`);
}
