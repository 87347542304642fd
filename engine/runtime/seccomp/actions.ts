/** What a filter can answer. seccomp(2), "Filters"; config-linux.md, "Seccomp", for the names. */

// linux/seccomp.h. The upper half is the action, the lower half its data.
export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0x00000000;
export const SECCOMP_RET_TRAP = 0x00030000;
export const SECCOMP_RET_ERRNO = 0x00050000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;

export const EPERM = 1;
export const ENOSYS = 38;
/** MAX_ERRNO: the kernel would turn what is beyond it into this one. */
export const HIGHEST_ERRNO = 4095;

const values = {
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
} as const;

export type Action = keyof typeof values;
export const actions = Object.keys(values) as Action[];

/** The word a filter returns for `action`. ERRNO and TRACE carry `errnoRet`, 0…4095; EPERM unless told otherwise. */
export function returnValue(action: Action, errnoRet: number = EPERM): number {
  const carriesData = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return values[action] + (carriesData ? errnoRet : 0);
}

/** Whether the call goes through: then an unknown call is best left to the kernel, or to the tracer. */
export function letsThrough(action: Action): boolean {
  return action === 'SCMP_ACT_ALLOW' || action === 'SCMP_ACT_LOG' || action === 'SCMP_ACT_TRACE';
}
