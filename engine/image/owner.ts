/** Whom the files of a layer can belong to here. user_namespaces(7). */

import { hasId, hasOneId, type IdKind } from '#kernel/user-namespace';

/**
 * The owner to give to what an archive says belongs to `id`. Where there is one user only, everything is that user's.
 * @throws Error that says the way out for an id that is beyond those this user was given.
 */
export function ownerHere(kind: IdKind, id: number, name: string): number {
  if (hasId(kind, id)) return id;
  if (hasOneId()) return 0;
  const [who, file] = kind === 'uid' ? ['user', '/etc/subuid'] : ['group', '/etc/subgid'];
  throw new Error(
    `"${name}" in the layer belongs to ${who} ${id}, and there are not so many ids here. Give this user a larger range in ${file}.`,
  );
}
