import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { VmUnavailable } from './unavailable.ts';

export interface VmTools {
  qemu: string;
  busybox: string;
  virtiofsd: string;
  /** Before version 1.0 virtiofsd was a C program that came with QEMU, and had other options. */
  virtiofsdIsOfQemu: boolean;
}

/** virtiofsd is not a command for users, so it is not in PATH. */
const VIRTIOFSD_OF_QEMU = '/usr/lib/qemu/virtiofsd';
const VIRTIOFSD = ['/usr/libexec/virtiofsd', '/usr/lib/virtiofsd', VIRTIOFSD_OF_QEMU];

/** Where virtiofsd is, or else where it would be. */
export function virtiofsdPlace(): string {
  return VIRTIOFSD.find(isExecutable) ?? VIRTIOFSD[0]!;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The program's path in PATH or the administrator's directories, which a user's PATH may lack; an absolute `program` is its
 * own path.
 */
export function which(program: string): string | undefined {
  if (isAbsolute(program)) return isExecutable(program) ? program : undefined;
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return directories.map((directory) => join(directory, program)).find(isExecutable);
}

/**
 * The host's programs that the lane runs on.
 * @throws VmUnavailable naming the Debian package of the first one that is missing.
 */
export function findTools(): VmTools {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new VmUnavailable(
      `The virtual machine shares the host's programs, so it needs Linux on x86-64; this is ${process.platform} on ${process.arch}.`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new VmUnavailable(
      'The virtual machine is shown the host’s files read-only, which takes root: run it with sudo.',
    );
  }
  const need = (path: string | undefined, program: string, debian: string): string => {
    if (path === undefined) {
      throw new VmUnavailable(`${program} is missing: apt-get install --no-install-recommends ${debian}`);
    }
    return path;
  };
  const virtiofsd = need(VIRTIOFSD.find(isExecutable), 'virtiofsd', 'virtiofsd (Debian 12: qemu-system-common)');
  for (const program of ['unshare', 'setpriv', 'mount']) need(which(program), program, 'util-linux mount');
  need(which('mkfs.ext4'), 'mkfs.ext4', 'e2fsprogs');
  return {
    qemu: need(which('qemu-system-x86_64'), 'qemu-system-x86_64', 'qemu-system-x86'),
    busybox: need(which('busybox'), 'busybox', 'busybox-static'),
    virtiofsd,
    virtiofsdIsOfQemu: virtiofsd === VIRTIOFSD_OF_QEMU,
  };
}
