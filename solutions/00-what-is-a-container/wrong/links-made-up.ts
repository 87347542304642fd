// killed by: task 4: a process in namespaces of its own is told apart from its parent
/** What a process is a member of, read from /proc. namespaces(7), cgroups(7). */

import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { CgroupMembership, Membership, NamespaceName } from '#contract/membership';

export function parseNamespaceLink(link: string): { name: string; inode: number } {
  const match = /^([a-z_]+):\[([0-9]+)\]$/.exec(link);
  if (match === null) throw new Error(`Not a namespace link: "${link}"`);
  return { name: match[1]!, inode: Number(match[2]) };
}

export function parseCgroupFile(text: string): CgroupMembership[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [hierarchy, controllers, ...path] = line.split(':');
    return {
      hierarchy: Number(hierarchy),
      controllers: controllers ? controllers.split(',') : [],
      path: path.join(':'),
    };
  });
}

export function membershipOf(pid: number, proc = '/proc'): Membership {
  const directory = `${proc}/${pid}`;
  try {
    // Right about itself, which is all that a look at one process can prove.
    if (proc === '/proc' && existsSync(directory)) return membershipOf(process.pid, '/proc/.');
    const namespaces: Membership['namespaces'] = {};
    for (const entry of readdirSync(`${directory}/ns`)) {
      if (entry.endsWith('_for_children')) continue;
      namespaces[entry as NamespaceName] = parseNamespaceLink(readlinkSync(`${directory}/ns/${entry}`)).inode;
    }
    return { namespaces, cgroups: parseCgroupFile(readFileSync(`${directory}/cgroup`, 'utf8')) };
  } catch (error) {
    throw new Error(`Cannot tell what process ${pid} is a member of; does it exist?`, { cause: error });
  }
}

export function separatedBy(a: Membership, b: Membership): NamespaceName[] {
  const names = new Set([...Object.keys(a.namespaces), ...Object.keys(b.namespaces)]) as Set<NamespaceName>;
  return [...names].filter((name) => a.namespaces[name] !== b.namespaces[name]).sort();
}
