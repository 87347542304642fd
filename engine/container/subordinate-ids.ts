/** The ids that a user may give away in user namespaces. subuid(5), subgid(5). */

import fs from 'node:fs';
import type { IdKind, IdRange } from '#kernel/user-namespace';

/** The kernel takes a map of at most this many lines. user_namespaces(7). */
const MOST_RANGES = 340;
const LARGEST_ID = 4_294_967_294;

/**
 * The ranges of one user, in the file's order. Malformed lines are passed over, as newuidmap(1) does.
 * @param text of /etc/subuid or /etc/subgid.
 * @param name empty for a user without one.
 */
export function parseSubordinateIds(text: string, { name, uid }: { name: string; uid: number }): IdRange[] {
  const ranges: IdRange[] = [];
  for (const line of text.split('\n')) {
    const [, owner = '', first = '', size = ''] = /^([^:]+):(\d{1,10}):(\d{1,10})\s*$/.exec(line) ?? [];
    if (owner === '' || (owner !== name && owner !== String(uid))) continue;
    const range = { first: Number(first), size: Number(size) };
    if (range.size > 0 && range.first + range.size - 1 <= LARGEST_ID) ranges.push(range);
  }
  // One line of the map is for the user itself.
  return ranges.slice(0, MOST_RANGES - 1);
}

/** Those of this machine. @returns none when there is no such file. */
export function subordinateIds(kind: IdKind, user: { name: string; uid: number }): IdRange[] {
  try {
    return parseSubordinateIds(fs.readFileSync(`/etc/sub${kind}`, 'utf8'), user);
  } catch {
    return [];
  }
}

/** As arguments of newuidmap(1): the user is root, and the ranges follow one another from 1 on. */
export function rootlessMap(own: number, ranges: IdRange[]): string[] {
  const map = ['0', String(own), '1'];
  let next = 1;
  for (const { first, size } of ranges) {
    map.push(String(next), String(first), String(size));
    next += size;
  }
  return map;
}
