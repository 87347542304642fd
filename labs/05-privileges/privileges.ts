/**
 * Lab `privileges`: what a container's program may do, and which system calls it may make at all.
 *
 * The engine calls `assembleFilter` once for each profile, in the parent, and `confine` in each child as the last thing
 * before its exec. `confine` is to use your own `dropBoundingSet` and `setCapabilitySets`.
 */

import { NotImplemented } from '#contract/not-implemented';
import type { Confinement, FilterEntry } from '#contract/privileges';
import type { Instruction } from '#kernel/classic-bpf';
import type { Capabilities, CapabilitySet } from '#spec';

/**
 * Task 1. The mask of a list of capabilities: bit n for capability n of `#kernel/capability-names`.
 *
 * There are more than 32 of them, and a number's bits end there for `|` and `<<`.
 * @throws Error that names a capability there is not. capabilities(7).
 */
export function capabilityMask(_names: readonly string[]): bigint {
  throw new NotImplemented('privileges', 1);
}

/**
 * Task 1. The five sets in the text of a /proc/PID/status, as names in the order of their numbers.
 *
 * Bits without a name are passed over: a newer kernel may have some. proc_pid_status(5).
 */
export function readCapabilities(_status: string): Record<CapabilitySet, string[]> {
  throw new NotImplemented('privileges', 1);
}

/**
 * Task 2. Give up everything that is not in `keep`, for good.
 *
 * Needs CAP_SETPCAP. The names are one list and the kernel's numbers another: it may know fewer, and then says EINVAL.
 * PR_CAPBSET_DROP(2const).
 */
export function dropBoundingSet(_keep: readonly string[]): void {
  throw new NotImplemented('privileges', 2);
}

/**
 * Task 3. The other four sets of the calling thread, each cut to what it is permitted now.
 *
 * Asking for more than that is an EPERM. Ambient capabilities have to be permitted and inheritable before they can be
 * raised; those from before are gone afterwards. A set that is absent is empty. capset(2), PR_CAP_AMBIENT(2const).
 * @param untilExec permitted and effective besides, as far as the thread has them; neither inheritable nor ambient.
 */
export function setCapabilitySets(_capabilities: Capabilities, _untilExec: readonly string[] = []): void {
  throw new NotImplemented('privileges', 3);
}

/**
 * Task 4. In the child, at the very end: all of it, in the one order that the kernel takes.
 *
 * `changeUser` needs capabilities, and takes them all away unless PR_SET_KEEPCAPS is set. `beforeFilter` is to run as
 * that user, with what it was left. The filter needs no_new_privs or CAP_SYS_ADMIN; where there is no
 * no_new_privs the latter is held until the exec. seccomp(2).
 * @throws whatever goes wrong; nothing is passed over.
 */
export function confine(_confinement: Confinement): void {
  throw new NotImplemented('privileges', 4);
}

/**
 * Tasks 5 and 6. A seccomp filter in the instructions of `#kernel/classic-bpf`.
 *
 * First by which entry the call came in, then its number, then (task 6) its arguments. Every road ends in a RET. Jumps
 * go forward only, and a test skips at most 255 instructions; a JA skips any number.
 * @param foreign the answer to a call that comes by none of the entries.
 */
export function assembleFilter(_entries: FilterEntry[], _foreign: number): Instruction[] {
  throw new NotImplemented('privileges', 5);
}
