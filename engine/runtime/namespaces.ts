/** New namespaces, joined namespaces, and what has to be set up in each. namespaces(7), user_namespaces(7). */

import { writeFileSync } from 'node:fs';
import { getCapabilities, PR_SET_DUMPABLE, prctl, setGid, setUid } from '#kernel/credentials';
import { close, O_RDONLY, open } from '#kernel/descriptors';
import { setInterfaceUp } from '#kernel/interfaces';
import * as kernel from '#kernel/namespaces';
import type { IdMapping, Namespace, NamespaceType } from './spec.ts';

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

export function cloneFlags(namespaces: Namespace[]): bigint {
  const seen = new Set<string>();
  let mask = 0n;
  for (const { type, path } of namespaces) {
    if (!Object.hasOwn(flags, type))
      throw new Error(`There is no namespace type "${type}"; the types are ${Object.keys(flags).join(', ')}.`);
    if (seen.has(type)) throw new Error(`The namespace type "${type}" stands twice in the list.`);
    seen.add(type);
    if (path === undefined && type !== 'cgroup') mask |= flags[type];
  }
  return mask;
}

export function writeIdMappings(pid: number, uidMappings: IdMapping[], gidMappings: IdMapping[]): void {
  writeMap(`/proc/${pid}/uid_map`, uidMappings);
  // Without it a process could drop a group that a file's mode denies something to, and so gain what it denies.
  if ((getCapabilities().effective & CAP_SETGID) === 0n) writeProc(`/proc/${pid}/setgroups`, 'deny');
  writeMap(`/proc/${pid}/gid_map`, gidMappings);
}

/** The kernel takes a map in one write only, and only once. */
function writeMap(file: string, mappings: IdMapping[]): void {
  writeProc(file, mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join(''));
}

function writeProc(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new Error(`${file}: the kernel refuses ${JSON.stringify(text)} (${(error as NodeJS.ErrnoException).code}).`, {
      cause: error,
    });
  }
}

export function enterNamespaces(namespaces: Namespace[]): void {
  if (makes(namespaces, 'user')) becomeRootOfUserNamespace();
  joinNamespaces(namespaces);
  if (makes(namespaces, 'cgroup')) kernel.unshare(kernel.CLONE_NEWCGROUP);
}

function becomeRootOfUserNamespace(): void {
  setGid(0);
  setUid(0);
  // Changing ids makes a process undumpable, and the files of an undumpable one in /proc belong to the host's root.
  prctl(PR_SET_DUMPABLE, 1);
}

/** All files are opened before the first setns: in another mount namespace the paths may mean something else. */
function joinNamespaces(namespaces: Namespace[]): void {
  const joined = namespaces
    .filter(({ type, path }) => path !== undefined && type !== 'pid')
    .sort((a, b) => Number(b.type === 'user') - Number(a.type === 'user'))
    .map(({ type, path }) => ({ type, fd: open(path!, O_RDONLY) }));
  for (const { type, fd } of joined) {
    kernel.setns(fd, flags[type]);
    close(fd);
  }
}

export function configureNamespaces(
  namespaces: Namespace[],
  { hostname, domainname }: { hostname?: string; domainname?: string },
): void {
  if (makes(namespaces, 'uts')) {
    if (hostname !== undefined) kernel.setHostname(hostname);
    if (domainname !== undefined) kernel.setDomainname(domainname);
  }
  if (makes(namespaces, 'network')) setInterfaceUp('lo');
}

function makes(namespaces: Namespace[], type: NamespaceType): boolean {
  return namespaces.some((namespace) => namespace.type === type && namespace.path === undefined);
}
