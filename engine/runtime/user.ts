/** Who the program runs as, by the container's own files. passwd(5), group(5). */

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { Process } from './spec.ts';

export interface Identity {
  uid: number;
  gid: number;
  /**
   * Supplementary groups. With Docker's `--user` the primary one is always among them: a program may change its primary
   * group (a set-group-ID one does), and is to stay under what a file's mode denies to that group (CVE-2022-36109).
   */
  groups: number[];
  /** The home directory, `/` when the user has no entry. */
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** The files come with the image: a gigabyte of them, or a FIFO, is not to stop a start. */
const LARGEST_FILE = 4 << 20;
/** What other engines take as a user. Linux has ids up to 2³²−2, but many programs keep them in a signed number. */
const LARGEST_ID = 2 ** 31 - 1;

/**
 * Called inside the container's root. A number needs no entry; a name does.
 * @throws Error that names the user or group there is not.
 */
export function lookUpIdentity({
  user,
  userSpec,
  groupSpecs = [],
}: Pick<Process, 'user' | 'userSpec' | 'groupSpecs'>): Identity {
  const passwd = parsePasswd(readAccounts('/etc/passwd'));
  if (userSpec === undefined || userSpec === '') {
    const entry = passwd.find(({ uid }) => uid === user.uid);
    return { uid: user.uid, gid: user.gid, groups: additionalGroups(user, groupSpecs), home: entry?.home || '/' };
  }
  const [userPart = '', groupPart] = splitOnce(userSpec, ':');
  const groups = parseGroup(readAccounts('/etc/group'));
  const additional = additionalGroups(user, groupSpecs, groups);
  const entry = findUser(passwd, userPart);
  const gid = groupPart === undefined || groupPart === '' ? entry.gid : findGroup(groups, groupPart);
  const memberships =
    groupPart === undefined || groupPart === ''
      ? groups.filter(({ members }) => entry.name !== '' && members.includes(entry.name)).map((group) => group.gid)
      : [];
  return { uid: entry.uid, gid, groups: [...new Set([gid, ...memberships, ...additional])], home: entry.home || '/' };
}

/** The names of users by their numbers, as this process's /etc/passwd has them; the first name of a number counts. */
export function userNames(): Map<number, string> {
  return new Map(
    parsePasswd(readAccounts('/etc/passwd'))
      .reverse()
      .map(({ uid, name }) => [uid, name]),
  );
}

function additionalGroups(user: Process['user'], specs: string[], known?: GroupEntry[]): number[] {
  if (specs.length === 0) return user.additionalGids ?? [];
  const groups = known ?? parseGroup(readAccounts('/etc/group'));
  return [...(user.additionalGids ?? []), ...specs.map((spec) => findGroup(groups, spec))];
}

function findUser(passwd: PasswdEntry[], user: string): PasswdEntry {
  const wanted = user === '' ? '0' : user;
  const named = passwd.find(({ name }) => name === wanted);
  if (named) return named;
  refuseOutOfRange(wanted);
  const uid = parseId(wanted);
  if (uid === null) throw new Error(`unable to find user ${user}: no matching entries in passwd file`);
  return passwd.find((entry) => entry.uid === uid) ?? { name: '', uid, gid: 0, home: '/' };
}

function findGroup(groups: GroupEntry[], group: string): number {
  const named = groups.find(({ name }) => name === group);
  if (named) return named.gid;
  refuseOutOfRange(group);
  const gid = parseId(group);
  if (gid === null) throw new Error(`unable to find group ${group}: no matching entries in group file`);
  return gid;
}

function refuseOutOfRange(id: string): void {
  if (/^-?\d+$/.test(id) && parseId(id) === null) throw new Error(`uids and gids must be in range 0-${LARGEST_ID}`);
}

function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uidText = '', gidText = '', , home = ''] = line.split(':');
    const [uid, gid] = [parseId(uidText), parseId(gidText)];
    return name === '' || uid === null || gid === null ? [] : [{ name, uid, gid, home }];
  });
}

function parseGroup(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gidText = '', members = ''] = line.split(':');
    const gid = parseId(gidText);
    return name === '' || gid === null ? [] : [{ name, gid, members: members.trim().split(',') }];
  });
}

function parseId(text: string): number | null {
  if (!/^\d{1,10}$/.test(text)) return null;
  const id = Number(text);
  return id <= LARGEST_ID ? id : null;
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** @returns nothing at all for a file that is missing or is not a regular file. */
function readAccounts(path: string): string {
  // Asked first, since most tools' images have none, and an exception costs a fresh process a millisecond.
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return '';
  // What was a file a moment ago may be a FIFO now, which must not be waited for.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const { size } = fstatSync(fd);
    if (!fstatSync(fd).isFile()) return '';
    if (size > LARGEST_FILE)
      throw new Error(`${path} of the container has ${size} bytes; at most ${LARGEST_FILE} are read.`);
    const buffer = Buffer.alloc(size);
    return buffer.toString('utf8', 0, readSync(fd, buffer));
  } finally {
    closeSync(fd);
  }
}
