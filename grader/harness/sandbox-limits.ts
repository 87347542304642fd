/**
 * What a sandbox may ask of the kernel: the capabilities and the system calls that the labs need, and no others. The
 * user namespace is the boundary; these make the part of the kernel that can be reached from inside smaller.
 */

import fs from 'node:fs';
import { release } from 'node:os';
import { thisMachine } from '../../engine/runtime/seccomp/architectures.ts';
import { resolveProfile } from '../../engine/runtime/seccomp/conditions.ts';
import { defaultProfile } from '../../engine/runtime/seccomp/default-profile.ts';
import { requireSeccomp } from '../../engine/runtime/seccomp/install.ts';
import type { Profile } from '../../engine/runtime/seccomp/profile.ts';

/** Docker's default set, which the lab `privileges` hands on. */
const USUAL_CAPABILITIES = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID'],
  ...['CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL'],
  'CAP_AUDIT_WRITE',
];

export const SANDBOX_CAPABILITIES: readonly string[] = [
  ...USUAL_CAPABILITIES,
  // Mounts and namespaces; the loopback of a new network; a terminal out of a container (pidfd_getfd).
  ...['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_SYS_PTRACE'],
  // What lies in the second word of a set, up to the last one, the lab `privileges` has to see. The kernel asks for the
  // first two in the machine's own user namespace only.
  ...['CAP_WAKE_ALARM', 'CAP_BLOCK_SUSPEND', 'CAP_CHECKPOINT_RESTORE'],
];

/** Docker's list leaves it to --privileged. */
const ALSO_ALLOWED = ['pivot_root'];

/** On Docker's list, if only for CAP_SYS_ADMIN, and needed by no lab. */
const NOT_ALLOWED = new Set([
  ...['bpf', 'perf_event_open', 'fanotify_init', 'fanotify_mark', 'lookup_dcookie', 'syslog'],
  ...['ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'kcmp'],
  ...['quotactl', 'quotactl_fd', 'adjtimex', 'clock_adjtime', 'modify_ldt', 'remap_file_pages', 'memfd_secret'],
  ...['io_setup', 'io_submit', 'io_cancel', 'io_destroy', 'io_getevents', 'io_pgetevents', 'name_to_handle_at'],
  ...['lsm_get_self_attr', 'lsm_list_modules', 'lsm_set_self_attr'],
]);

/**
 * The filter of a sandbox, without conditions on the host. It lists what is allowed; all else answers EPERM, a call of
 * another architecture ends the process, and one that is younger than the list answers ENOSYS.
 * @param capabilities what the sandbox can have, also what a user without capabilities gets in a user namespace it makes.
 * @returns undefined where no filter can be set, or where the kernel does not count those of a process (before Linux
 *   5.9): there a submission's own filter could not be told from this one.
 */
export function sandboxFilter(capabilities: readonly string[]): Profile | undefined {
  hasFilters ??= takesFilters() && countsFilters();
  if (!hasFilters) return undefined;
  const profile = { ...defaultProfile, archMap: undefined };
  const { syscalls } = resolveProfile(profile, { machine: thisMachine(), capabilities, kernel: release() });
  const allowed = syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !NOT_ALLOWED.has(name)) }))
    .filter(({ names }) => names.length > 0);
  return {
    ...profile,
    syscalls: [...allowed, { names: ALSO_ALLOWED, action: 'SCMP_ACT_ALLOW' as const, errnoRet: undefined }],
  };
}

let hasFilters: boolean | undefined;

function takesFilters(): boolean {
  try {
    requireSeccomp();
    return true;
  } catch {
    return false;
  }
}

function countsFilters(): boolean {
  return /^Seccomp_filters:/m.test(fs.readFileSync('/proc/self/status', 'latin1'));
}
