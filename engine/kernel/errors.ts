import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** Fetched once: Node builds the map anew at each call, and a forked child meets errors on its everyday way. */
const descriptions = getSystemErrorMap();

/** A system call said no. `subject` is what it was asked about: a path, a pid, a flag. errno(3). */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly syscall: string;
  /** Positive, as in errno(3). */
  readonly errno: number;
  /** The errno's name, e.g. `EPERM`. */
  readonly code: string;
  readonly subject: string;

  constructor(syscall: string, errno: number, subject = '') {
    const [code, text] = descriptions.get(-errno) ?? errnoNotKnownToNode(errno);
    super(`${subject ? `${syscall} ${subject}` : syscall}: ${code}: ${text}`);
    this.syscall = syscall;
    this.errno = errno;
    this.code = code;
    this.subject = subject;
  }
}

/** libuv describes only the errnos it maps itself; these are the others that processes, mounts and quotas answer with. */
const otherErrnos: Record<number, [string, string]> = {
  10: ['ECHILD', 'no child processes'],
  15: ['ENOTBLK', 'block device required'],
  37: ['ENOLCK', 'no locks available'],
  87: ['EUSERS', 'too many users, or namespaces nested too deep'],
  116: ['ESTALE', 'stale file handle'],
  117: ['EUCLEAN', 'structure needs cleaning'],
  122: ['EDQUOT', 'disk quota exceeded'],
};

function errnoNotKnownToNode(errno: number): [string, string] {
  const name = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0];
  return otherErrnos[errno] ?? [name ?? 'EUNKNOWN', `errno ${errno}`];
}
