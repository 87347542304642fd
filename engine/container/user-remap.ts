/** Root of a container as nobody on the host: whose ids the containers of an engine get. subuid(5), user_namespaces(7). */

import fs from 'node:fs';
import path from 'node:path';
import { type IdKind, inUserNamespace } from '#kernel/user-namespace';
import type { IdMapping } from '../runtime/spec.ts';
import { ContainerError } from './errors.ts';
import type { StateRoot } from './root.ts';
import { subordinateIds } from './subordinate-ids.ts';

export interface UserRemap {
  uids: IdMapping[];
  gids: IdMapping[];
}

/** Whose ids `default` stands for, as with Docker. */
const DEFAULT_NAME = 'dockremap';
const USUAL_SIZE = 65_536;

export const REMAP_IS_FOR_ROOT =
  '--userns-remap is for the root of a host; an ordinary user’s containers have other ids anyway. Leave it out.';

/**
 * @param asked as dockerd's `--userns-remap` has it: `default`, or a user `name[:group]`, each by name or number.
 * @throws Error that says the way out.
 */
export function userRemap(asked: string, rangesOf = subordinateIds): UserRemap {
  const [user = '', group = user, ...more] = (asked === 'default' ? DEFAULT_NAME : asked).split(':');
  if (user === '' || group === '' || more.length > 0)
    throw new Error(`--userns-remap must be default, USER or USER:GROUP, not "${asked}".`);
  return { uids: mappingOf('uid', user, rangesOf), gids: mappingOf('gid', group, rangesOf) };
}

/** The ranges follow one another from 0 on. */
function mappingOf(kind: IdKind, name: string, rangesOf: typeof subordinateIds): IdMapping[] {
  const ranges = rangesOf(kind, { name, uid: /^\d+$/.test(name) ? Number(name) : Number.NaN });
  if (ranges.length === 0)
    throw new Error(
      `--userns-remap: /etc/sub${kind} has no ids for ${name}. Add a range that nobody else has, e.g. ` +
        `echo ${name}:231072:${USUAL_SIZE} >> /etc/sub${kind}`,
    );
  let next = 0;
  return ranges.map(({ first, size }) => {
    const containerID = next;
    next += size;
    return { containerID, hostID: first, size };
  });
}

/**
 * Containers with a user namespace of their own reach the engine's files as the host's root never would: as somebody else.
 * @throws Error when they could not, that says the way out.
 */
export function checkRemap({ dir }: StateRoot): void {
  if (inUserNamespace() || process.geteuid?.() !== 0) throw new Error(REMAP_IS_FOR_ROOT);
  for (let each = dir; ; each = path.dirname(each)) {
    if ((fs.statSync(each).mode & 0o001) === 0)
      throw new Error(`--userns-remap: other users cannot pass through ${each}. Let them: chmod o+x ${each}`);
    if (each === '/') return;
  }
}

/** A container's own; undefined with `--userns host`. @throws ContainerError in Docker's words for what cannot go with it */
export function remapOf(
  remap: UserRemap | undefined,
  {
    UsernsMode,
    Privileged,
    NetworkMode,
    PidMode,
  }: Record<'UsernsMode' | 'NetworkMode' | 'PidMode', string> & {
    Privileged: boolean;
  },
): UserRemap | undefined {
  if (remap === undefined || UsernsMode === 'host') return undefined;
  if (Privileged)
    throw new ContainerError(
      'invalid',
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    );
  if (NetworkMode === 'host')
    throw new ContainerError('invalid', "cannot share the host's network namespace when user namespaces are enabled");
  if (PidMode === 'host')
    throw new ContainerError('invalid', 'cannot share the host PID namespace when user namespaces are enabled');
  return remap;
}

/** Who root of such a container is on the host. */
export function rootOf(remap: UserRemap | undefined): { uid: number; gid: number } | undefined {
  return remap && { uid: remap.uids[0]!.hostID, gid: remap.gids[0]!.hostID };
}
