// passes: all
import * as fs from 'node:fs';
import type { CgroupMembership, Membership, NamespaceName } from '#contract/membership';

const { readlinkSync: readlink } = fs;
const CHILDREN = new Set(['pid_for_children', 'time_for_children']);
const LINK = /^(?<name>\w+):\[(?<inode>\d+)\]$/;
const OWN_PID = process.pid;

class NotALink extends Error {
  constructor(link: string) {
    super(`I cannot make sense of "${link}", process ${OWN_PID} says.`);
  }
}

class CgroupLine implements CgroupMembership {
  readonly controllers: string[];
  readonly hierarchy: number;
  readonly path: string;

  constructor(line: string) {
    const { hierarchy, controllers, path } = /^(?<hierarchy>\d+):(?<controllers>[^:]*):(?<path>.*)$/s.exec(line)!
      .groups!;
    this.hierarchy = +hierarchy!;
    this.controllers = controllers!.match(/[^,]+/g) ?? [];
    this.path = path!;
  }
}

export const parseNamespaceLink = (link: string) => {
  const { name, inode } = LINK.exec(link)?.groups ?? {};
  if (name === undefined || inode === undefined) throw new NotALink(link);
  return { name, inode: Number.parseInt(inode, 10) };
};

export const parseCgroupFile = (text: string): CgroupMembership[] =>
  text.replace(/\n$/, '') === ''
    ? []
    : text
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => new CgroupLine(line));

export function membershipOf(pid: number, proc = '/proc'): Membership {
  const directory = fs.existsSync(`${proc}/${pid}/ns`) ? fs.opendirSync(`${proc}/${pid}/ns`) : null;
  if (directory === null) throw new RangeError(`No process has the number ${pid}.`);
  const namespaces = new Map<string, number>();
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
    if (!CHILDREN.has(entry.name))
      namespaces.set(entry.name, parseNamespaceLink(readlink(`${proc}/${pid}/ns/${entry.name}`)).inode);
  directory.closeSync();
  const text = fs.readFileSync(`${proc}/${pid}/cgroup`).toString('utf8');
  return { cgroups: parseCgroupFile(text), namespaces: Object.fromEntries(namespaces) };
}

export function separatedBy({ namespaces: a }: Membership, { namespaces: b }: Membership): NamespaceName[] {
  const every: NamespaceName[] = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];
  const separated: NamespaceName[] = [];
  every.forEach((name) => {
    if ((a[name] ?? -1) !== (b[name] ?? -1)) separated.push(name);
  });
  return separated;
}
