// killed by: task 2: the ids of the container are mapped as asked
import { writeFileSync } from 'node:fs';
import { getCapabilities, PR_SET_DUMPABLE, prctl, setGid, setUid } from '#kernel/credentials';
import { close, O_RDONLY, open } from '#kernel/descriptors';
import { setInterfaceUp } from '#kernel/interfaces';
import * as kernel from '#kernel/namespaces';
import type { IdMapping, Namespace, NamespaceType } from '#spec';

const flags: Record<NamespaceType, bigint> = {
  user: kernel.CLONE_NEWUSER,
  pid: kernel.CLONE_NEWPID,
  mount: kernel.CLONE_NEWNS,
  uts: kernel.CLONE_NEWUTS,
  ipc: kernel.CLONE_NEWIPC,
  network: kernel.CLONE_NEWNET,
  cgroup: kernel.CLONE_NEWCGROUP,
};

const CAP_SETGID = 1n << 6n;

const isNew = (namespaces: Namespace[], type: NamespaceType) =>
  namespaces.some((namespace) => namespace.type === type && namespace.path === undefined);

export function cloneFlags(namespaces: Namespace[]): bigint {
  const types = namespaces.map(({ type }) => type);
  for (const [index, type] of types.entries()) {
    if (!Object.hasOwn(flags, type)) throw new Error(`Unknown namespace type "${type}".`);
    if (types.indexOf(type) !== index) throw new Error(`The namespace type "${type}" stands twice.`);
  }
  return types
    .filter((type) => type !== 'cgroup' && isNew(namespaces, type))
    .reduce((mask, type) => mask | flags[type], 0n);
}

export function writeIdMappings(pid: number, uidMappings: IdMapping[], gidMappings: IdMapping[]): void {
  const lines = (mappings: IdMapping[]) =>
    mappings.slice(0, 1).map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
  const write = (file: string, text: string) => {
    try {
      writeFileSync(`/proc/${pid}/${file}`, text);
    } catch (cause) {
      throw new Error(`/proc/${pid}/${file} does not take ${JSON.stringify(text)}`, { cause });
    }
  };
  write('uid_map', lines(uidMappings));
  if ((getCapabilities().effective & CAP_SETGID) === 0n) write('setgroups', 'deny');
  write('gid_map', lines(gidMappings));
}

export function enterNamespaces(namespaces: Namespace[]): void {
  if (isNew(namespaces, 'user')) {
    setGid(0);
    setUid(0);
    prctl(PR_SET_DUMPABLE, 1);
  }
  const joined = namespaces
    .filter(({ type, path }) => path !== undefined && type !== 'pid')
    .sort((a, b) => Number(b.type === 'user') - Number(a.type === 'user'))
    .map(({ type, path }) => ({ type, fd: open(path!, O_RDONLY) }));
  for (const { type, fd } of joined) {
    kernel.setns(fd, flags[type]);
    close(fd);
  }
  if (isNew(namespaces, 'cgroup')) kernel.unshare(kernel.CLONE_NEWCGROUP);
}

export function configureNamespaces(namespaces: Namespace[], names: { hostname?: string; domainname?: string }): void {
  if (isNew(namespaces, 'uts')) {
    if (names.hostname !== undefined) kernel.setHostname(names.hostname);
    if (names.domainname !== undefined) kernel.setDomainname(names.domainname);
  }
  if (isNew(namespaces, 'network')) setInterfaceUp('lo');
}
