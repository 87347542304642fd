/** The filter for a container, made in the process that forks it. */

import { createHash } from 'node:crypto';
import { release } from 'node:os';
import type { SeccompFilter } from '#contract/privileges';
import { thisMachine } from './architectures.ts';
import { compile } from './compile.ts';
import { resolveProfile } from './conditions.ts';
import { defaultProfile } from './default-profile.ts';
import { requireSeccomp } from './install.ts';
import type { Profile } from './profile.ts';

export interface SeccompWish {
  /** Checked by `parseProfile`; an OCI `linux.seccomp` is one too. */
  profile: 'default' | 'unconfined' | Profile;
  /** The container's bounding set, names like `CAP_SYS_ADMIN`. */
  capabilities: readonly string[];
}

/** Filters by what they were made of. A client decides about both, so there is an end to how many are kept. */
const made = new Map<string, SeccompFilter>();
const MOST_KEPT = 64;

/**
 * The filter for a container; null when it is to have none. The first one of its kind takes some milliseconds, the same
 * again some microseconds.
 * @throws RangeError when the profile needs more than 4096 instructions; Error on a machine that is neither x86-64 nor
 *   arm64, or whose kernel takes no filters.
 */
export function seccompFilterFor({ profile, capabilities }: SeccompWish): SeccompFilter | null {
  if (profile === 'unconfined') return null;
  const key = `${[...capabilities].sort().join(' ')} ${profile === 'default' ? profile : digestOf(profile)}`;
  const known = made.get(key);
  if (known) return known;
  requireSeccomp();
  const circumstances = { machine: thisMachine(), capabilities, kernel: release() };
  const seccomp = resolveProfile(profile === 'default' ? defaultProfile : profile, circumstances);
  const filter = compile(seccomp, circumstances.machine);
  if (made.size >= MOST_KEPT) made.delete(made.keys().next().value!);
  made.set(key, filter);
  return filter;
}

/** Profiles can be of any size, and what is kept of them should not. */
function digestOf(profile: Profile): string {
  return createHash('sha256').update(JSON.stringify(profile)).digest('base64');
}
