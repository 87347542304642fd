import type { SeccompFilter } from '#contract/privileges';
import { KernelError } from '#kernel/errors';
import { setSeccompFilter } from '#kernel/seccomp';

/**
 * Put the calling thread under `filter`, for good. Synchronous, for the very end of a child that is about to execute
 * its program: all that it still does then has to be allowed.
 *
 * The kernel wants no_new_privs or CAP_SYS_ADMIN, since a set-uid program that is lied to by a filter could be misled.
 * @throws KernelError; Error with `code` `EACCES` when the thread has neither.
 */
export function installSeccomp({ program, flags }: SeccompFilter): void {
  try {
    setSeccompFilter(program, flags);
  } catch (cause) {
    if (!(cause instanceof KernelError && cause.code === 'EACCES')) throw cause;
    const text =
      'A seccomp filter needs no_new_privs or CAP_SYS_ADMIN: set it while the latter is held, or set no_new_privs first.';
    throw Object.assign(new Error(text, { cause }), { code: cause.code });
  }
}

/**
 * Ask the kernel whether it takes filters at all, by an empty one, which it can only refuse. Asked in the parent it also
 * has V8 compile the way there, which else every forked child would do anew.
 * @throws Error on a kernel without them.
 */
export function requireSeccomp(): void {
  try {
    installSeccomp({ program: Buffer.alloc(0), flags: 0 });
  } catch (error) {
    if (error instanceof KernelError && error.code === 'EINVAL') return;
    const text = 'This kernel takes no seccomp filters (CONFIG_SECCOMP_FILTER); run with seccomp=unconfined.';
    throw Object.assign(new Error(text, { cause: error }), { code: 'ENOSYS' });
  }
}
