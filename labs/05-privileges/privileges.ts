/**
 * Lab `privileges`: what a container's program may do, and which system calls it may make at all.
 *
 * The engine calls `assembleFilter` once for each profile, in the parent, and `confine` in each child as the last thing
 * before its exec. `confine` uses your own `dropBoundingSet` and `setCapabilitySets`. What each argument may be, the
 * contract says: engine/runtime/contract/privileges.ts. None of these functions may return a promise.
 */

import { NotImplemented } from '#contract/not-implemented';
import type { Confinement, FilterEntry } from '#contract/privileges';
import type { Instruction } from '#kernel/classic-bpf';
import type { Capabilities, CapabilitySet } from '#spec';

/**
 * Task 1. The mask of a list of capabilities: bit n for capability n of `#kernel/capability-names`.
 *
 * There are more than 32 of them, and a number's bits end there for `|` and `<<`.
 * @throws Error with the name in it if the list does not have it. capabilities(7).
 */
export function capabilityMask(_names: readonly string[]): bigint {
  throw new NotImplemented('privileges', 1);
}

/**
 * Task 1. The five sets in the text of a /proc/PID/status, as names in the order of their numbers.
 *
 * Bits without a name are skipped: a newer kernel may have some. proc_pid_status(5).
 */
export function readCapabilities(_status: string): Record<CapabilitySet, string[]> {
  throw new NotImplemented('privileges', 1);
}

/**
 * Task 2. Give up everything that is not in `keep`, for good.
 *
 * Needs CAP_SETPCAP. The names are one list and the kernel's numbers another: where its numbers end it says EINVAL.
 * PR_CAPBSET_DROP(2const).
 * @throws KernelError for every other refusal.
 */
export function dropBoundingSet(_keep: readonly string[]): void {
  throw new NotImplemented('privileges', 2);
}

/**
 * Task 3. The other four sets of the calling thread: what is asked for, without what the thread is not permitted now.
 *
 * The kernel answers EPERM to more than that, so cut before you ask it; leaving out is not an error. Effective is cut to the
 * new permitted, ambient to what is permitted and inheritable by then; earlier ambient capabilities are gone. An absent
 * set is empty. capset(2), PR_CAP_AMBIENT(2const).
 * @param untilExec permitted and effective besides, as far as the thread has them; not inheritable and not ambient.
 */
export function setCapabilitySets(_capabilities: Capabilities, _untilExec: readonly string[] = []): void {
  throw new NotImplemented('privileges', 3);
}

/**
 * Task 4. In the child, at the very end: all of it, in the one order that the kernel takes.
 *
 * `changeUser` needs capabilities, and takes them all away unless PR_SET_KEEPCAPS is set. `beforeFilter` runs as that
 * user, after the sets are cut. The filter needs no_new_privs or CAP_SYS_ADMIN: with a filter and without no_new_privs
 * the latter is held until the exec. An absent set is empty, `bounding` too. seccomp(2).
 * @throws what any step throws.
 */
export function confine(_confinement: Confinement): void {
  throw new NotImplemented('privileges', 4);
}

/**
 * Tasks 5 and 6. A seccomp filter in the instructions of `#kernel/classic-bpf`.
 *
 * First by which entry the call came in, then its number, then (task 6) its arguments. Every road ends in a RET. Jumps
 * go forward only, and a test skips at most 255 instructions; a JA skips any number. Three entries of 400 calls must fit
 * into 4,096 instructions.
 * @param foreign the answer to a call that comes by an entry that is not listed.
 */
export function assembleFilter(_entries: FilterEntry[], _foreign: number): Instruction[] {
  throw new NotImplemented('privileges', 5);
}
