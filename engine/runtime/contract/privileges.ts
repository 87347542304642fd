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
  /** In any order; no number twice. */
  calls: FilteredCall[];
  /**
   * The answer to every other number, and to a call none of whose rules fits: that of the last of these ranges which
   * begins at or below the number. They ascend, the first begins at 0. x86-64 has two, at least: from 0x40000000 on
   * the numbers are those of x32, the same calls by another name.
   */
  otherwise: { from: number; answer: number }[];
}

export interface FilteredCall {
  /** As in seccomp_data.nr, unsigned. */
  number: number;
  /** The first that fits counts. */
  rules: FilterRule[];
}

export interface FilterRule {
  /** It fits when all of these are true; without any it always fits. */
  conditions: ArgumentTest[];
  /** What the filter returns: SECCOMP_RET_… and its data, unsigned. */
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
  capabilities: Capabilities;
  noNewPrivileges: boolean;
  /** Null for none. */
  filter: SeccompFilter | null;
  /** Makes the caller another user, by setgroups, setresgid and setresuid; needs the capabilities for that. */
  changeUser: () => void;
  /** What is still to be done as that user. It may make calls that the filter forbids. */
  beforeFilter: () => void;
}

export interface PrivilegesPlank {
  /**
   * The mask of a list of capabilities: bit n for capability n, which today goes up to 40.
   * @throws Error that names a capability there is not.
   */
  capabilityMask(names: readonly string[]): bigint;

  /**
   * The five sets in the text of a /proc/PID/status, as names in the order of their numbers; bits without a name are
   * passed over. proc_pid_status(5).
   */
  readCapabilities(status: string): Record<CapabilitySet, string[]>;

  /**
   * Give up everything that is not in `keep`, for good: from then on no exec brings it back. Needs CAP_SETPCAP. The
   * kernel may have fewer capabilities than there are names, and more. PR_CAPBSET_DROP(2const).
   */
  dropBoundingSet(keep: readonly string[]): void;

  /**
   * The other four sets of the calling thread, each cut to what it is permitted now: asking for more is an EPERM.
   * Ambient capabilities have to be permitted and inheritable first; those from before are gone afterwards. capset(2).
   * @param untilExec permitted and effective beyond those, as far as the thread has them. Neither inheritable nor
   *   ambient, so the exec takes them away.
   */
  setCapabilitySets(capabilities: Capabilities, untilExec?: readonly string[]): void;

  /**
   * In the child, at the very end: give up all that the program is not to have, in the one order that the kernel takes.
   * The change of user empties the sets unless PR_SET_KEEPCAPS says otherwise. The filter comes last and needs
   * no_new_privs, or else CAP_SYS_ADMIN, which is then held until the exec whatever `capabilities` says.
   * @throws whatever goes wrong; nothing is passed over.
   */
  confine(confinement: Confinement): void;

  /**
   * A seccomp filter in the instructions of classic BPF. Jumps only go forward, and a test skips at most 255
   * instructions either way (a JA any number).
   * @param foreign the answer to a call that comes by none of the entries. Without a look at that, the numbers mean
   *   nothing.
   */
  assembleFilter(entries: FilterEntry[], foreign: number): Instruction[];
}
