/** The plank of lab `privileges`: what a container's program may do, and which system calls it may make at all. */

import type { Instruction } from '#kernel/classic-bpf';
import type { Capabilities, CapabilitySet } from '../spec.ts';

/** A filter as the kernel takes it. */
export interface SeccompFilter {
  /** An array of struct sock_filter. */
  program: Buffer;
  /** SECCOMP_FILTER_FLAG_… or'ed together. */
  flags: number;
}

/** One way into the kernel for system calls, and what is answered there. */
export interface FilterEntry {
  /** AUDIT_ARCH_… as the kernel puts it into seccomp_data.arch. Every entry of a filter has another one. */
  arch: number;
  /** In any order; every number at most once. Empty: `otherwise` answers every call. */
  calls: FilteredCall[];
  /**
   * The answer to every number that is not listed, and to a listed call if no rule of it fits: that of the last of these
   * ranges that begins at or below the number. At least one; they ascend, and the first begins at 0. x86-64 has at least
   * two: from 0x40000000 on the numbers are those of x32, the same calls by another name.
   */
  otherwise: { from: number; answer: number }[];
}

export interface FilteredCall {
  /** As in seccomp_data.nr, unsigned. */
  number: number;
  /** The first that fits counts; rules behind one without conditions are never reached. Empty: `otherwise` answers. */
  rules: FilterRule[];
}

export interface FilterRule {
  /** It fits if all of these are true; without any it always fits. At most 12, and at most two for one argument. */
  conditions: ArgumentTest[];
  /** What the filter returns: SECCOMP_RET_… and its data, 0…2³²−1: KILL_PROCESS is 0x80000000, not a negative number. */
  answer: number;
}

/** True when `(argument & mask)` is equal to `value`, or greater (unsigned); with `holds: false`, when it is not. */
export interface ArgumentTest {
  /** Which argument, 0…5. */
  index: number;
  /** 0…2⁶⁴−1, as all 64 bits of an argument are. */
  mask: bigint;
  test: 'equal' | 'greater';
  /** No bit of it is outside of the mask. */
  value: bigint;
  holds: boolean;
}

export interface Confinement {
  /** A set that is absent is empty, `bounding` too. */
  capabilities: Capabilities;
  noNewPrivileges: boolean;
  /** Null for none. */
  filter: SeccompFilter | null;
  /** Makes the caller another user, by setgroups, setresgid and setresuid; needs the capabilities for that. To be called once. */
  changeUser: () => void;
  /**
   * What is still to be done as that user. To be called once, after all sets are cut and before the filter is set: it may
   * make calls that the filter forbids.
   */
  beforeFilter: () => void;
}

export interface PrivilegesPlank {
  /**
   * The mask of a list of capabilities: bit n for capability n, which today goes up to 40. A name may stand twice; [] is 0n.
   * @throws Error with the name in it if `#kernel/capability-names` does not have it, e.g. `chown` or `cap_chown`.
   */
  capabilityMask(names: readonly string[]): bigint;

  /**
   * The five sets in the text of a /proc/PID/status, as names in the order of their numbers. All five lines are there; bits
   * without a name are skipped. proc_pid_status(5).
   */
  readCapabilities(status: string): Record<CapabilitySet, string[]>;

  /**
   * Give up everything that is not in `keep`, for good: from then on no exec brings it back. The kernel may have fewer
   * capabilities than there are names, and more: EINVAL is the end of its numbers. PR_CAPBSET_DROP(2const).
   * @throws KernelError for every other refusal, e.g. EPERM without CAP_SETPCAP.
   */
  dropBoundingSet(keep: readonly string[]): void;

  /**
   * The other four sets of the calling thread. Each becomes what is asked for, without what the thread is not permitted at
   * the call: the kernel would answer EPERM. Then effective is cut to the new permitted, and ambient to what is permitted
   * and inheritable by then; earlier ambient capabilities are gone. An absent set is empty. capset(2).
   * @param untilExec permitted and effective besides, as far as the thread has them. Neither inheritable nor ambient
   *   through this, so the exec takes them away.
   */
  setCapabilitySets(capabilities: Capabilities, untilExec?: readonly string[]): void;

  /**
   * In the child, at the very end: give up all that the program is not to have, in the one order that the kernel takes.
   * The change of user empties the sets unless PR_SET_KEEPCAPS says otherwise. The filter comes last and needs
   * no_new_privs or CAP_SYS_ADMIN. Only with a filter and without no_new_privs, CAP_SYS_ADMIN is held until the exec,
   * whatever `capabilities` says. No step can be awaited: all is done when it returns.
   * @throws what any step throws, `changeUser`, `beforeFilter` and the kernel included.
   */
  confine(confinement: Confinement): void;

  /**
   * A seccomp filter in the instructions of classic BPF. Jumps only go forward, and a test skips at most 255
   * instructions either way (a JA any number).
   * @param entries may be empty: then every call is foreign.
   * @param foreign the answer to a call that comes by an entry that is not listed. Its number means nothing.
   */
  assembleFilter(entries: FilterEntry[], foreign: number): Instruction[];
}
