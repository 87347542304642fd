/** What a process is a member of, read from /proc. namespaces(7), cgroups(7). */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { CgroupMembership, Membership, NamespaceName } from '#contract/membership';

const namespaceNames: NamespaceName[] = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];

export function parseNamespaceLink(link: string): { name: string; inode: number } {
  const match = /^([a-z_]+):\[(\d+)\]$/.exec(link);
  if (!match) throw new Error(`Not a namespace link: ${JSON.stringify(link)}; one looks like "pid:[4026531836]".`);
  return { name: match[1]!, inode: Number(match[2]) };
}

export function parseCgroupFile(text: string): CgroupMembership[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      // Only the first two colons separate: a cgroup's own name may hold more of them.
      const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
      if (!match) throw new Error(`Not a line of /proc/PID/cgroup: ${JSON.stringify(line)}`);
      return {
        hierarchy: Number(match[1]),
        controllers: match[2] === '' ? [] : match[2]!.split(','),
        path: match[3]!,
      };
    });
}

export function membershipOf(pid: number, proc = '/proc'): Membership {
  try {
    const namespaces: Membership['namespaces'] = {};
    const present = new Set(readdirSync(`${proc}/${pid}/ns`));
    for (const name of namespaceNames) {
      if (present.has(name)) namespaces[name] = parseNamespaceLink(readlinkSync(`${proc}/${pid}/ns/${name}`)).inode;
    }
    return { namespaces, cgroups: parseCgroupFile(readFileSync(`${proc}/${pid}/cgroup`, 'utf8')) };
  } catch (error) {
    // ESRCH: it ended while we were reading.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH')
      throw new Error(`There is no process ${pid} in ${proc}.`, { cause: error });
    throw error;
  }
}

export function separatedBy(a: Membership, b: Membership): NamespaceName[] {
  return namespaceNames.filter((name) => a.namespaces[name] !== b.namespaces[name]);
}
