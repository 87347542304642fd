/** Programs of the host that the course or its tests can use. */

import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { which } from '../../vm/tools.ts';
import type { Finding } from './finding.ts';

interface Wanted {
  program: string;
  title: string;
  /** Completes "without it …". */
  without: string;
  fix: string;
}

const WANTED: Wanted[] = [
  {
    program: 'busybox',
    title: 'busybox, for the hostbox image',
    without: 'the image is made of the shell and coreutils and their libraries, which is bigger',
    fix: 'apt-get install busybox-static',
  },
  {
    program: 'git',
    title: 'git',
    without: 'diff, reset and catch-up cannot work',
    fix: 'apt-get install git',
  },
  {
    program: 'docker',
    title: 'the docker client',
    without: 'only skiff itself can talk to the engine',
    fix: 'https://docs.docker.com/engine/install (the client is enough: docker-ce-cli)',
  },
  {
    program: 'qemu-system-x86_64',
    title: 'QEMU, for the virtual machine',
    without: 'the virtual machine of the first lab cannot be booted',
    fix: 'apt-get install --no-install-recommends qemu-system-x86',
  },
];

export function probePrograms(): Finding[] {
  return WANTED.map(({ program, title, without, fix }) => {
    const found = which(program);
    return found === undefined
      ? { id: program, title, status: 'absent', detail: `without it ${without}`, fix }
      : { id: program, title, status: 'ok', detail: found };
  });
}

/** A uid without a line in /etc/passwd has no name. */
function nameOf(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    return String(uid);
  }
}

/** newuidmap and a range in /etc/subuid: what a rootless container needs for more than one user. */
export function probeSubordinateIds(): Finding {
  const finding = { id: 'subordinate-ids', title: 'a range of subordinate ids' };
  const uid = process.getuid?.() ?? 0;
  const username = nameOf(uid);
  if (uid === 0) return { ...finding, status: 'ok', detail: 'not needed by root' };
  if (which('newuidmap') === undefined) {
    return {
      ...finding,
      status: 'absent',
      detail: 'newuidmap is missing, so only one user id can be mapped',
      fix: 'apt-get install uidmap',
    };
  }
  const owns = (file: string) => {
    try {
      return readFileSync(file, 'utf8')
        .split('\n')
        .some((line) => [username, String(uid)].includes(line.split(':')[0] ?? ''));
    } catch {
      return false;
    }
  };
  if (owns('/etc/subuid') && owns('/etc/subgid'))
    return { ...finding, status: 'ok', detail: 'newuidmap, /etc/subuid, /etc/subgid' };
  return {
    ...finding,
    status: 'absent',
    detail: `${username} has no line in /etc/subuid or /etc/subgid, so only one user id can be mapped`,
    fix: freeRange(username),
  };
}

const RANGE = 65536;
const FIRST_SUBORDINATE_ID = 100_000;

/** The command that gives a range that no other user has: ids of two people would make them one. subuid(5). */
function freeRange(username: string): string {
  const taken = ['/etc/subuid', '/etc/subgid'].flatMap(rangesIn);
  let first = FIRST_SUBORDINATE_ID;
  for (const { from, size } of taken.sort((a, b) => a.from - b.from))
    if (first < from + size && from < first + RANGE) first = from + size;
  const range = `${first}-${first + RANGE - 1}`;
  return `sudo usermod --add-subuids ${range} --add-subgids ${range} ${username}`;
}

function rangesIn(file: string): { from: number; size: number }[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .map(([, from, size]) => ({ from: Number(from), size: Number(size) }))
      .filter(({ from, size }) => Number.isSafeInteger(from) && size > 0);
  } catch {
    return [];
  }
}
