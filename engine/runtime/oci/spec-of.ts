/** A config.json in the terms of this engine. */

import { createHash } from 'node:crypto';
import { isAbsolute, join, normalize } from 'node:path';
import type { Device, Mount, Process, Resources, Spec } from '../spec.ts';
import type { Config, ConfigProcess, ConfigResources } from './config-document.ts';
import { RuntimeError } from './error.ts';

export interface Circumstances {
  id: string;
  /** Where this runtime keeps its state. */
  root: string;
  bundle: string;
  /** The container's root directory, absolute and resolved. */
  rootfs: string;
}

/** @throws RuntimeError for what the document has and this runtime cannot do. */
export async function specOf(config: Config, { id, root, bundle, rootfs }: Circumstances): Promise<Spec> {
  const { linux, hostname, domainname, annotations } = config;
  return {
    ociVersion: config.ociVersion,
    hostname,
    domainname,
    root: { path: rootfs, readonly: config.root.readonly },
    process: processOf(config.process),
    mounts: (config.mounts ?? []).map((mount) => mountOf(mount, bundle)),
    linux: {
      namespaces: linux.namespaces ?? [],
      uidMappings: linux.uidMappings,
      gidMappings: linux.gidMappings,
      resources: resourcesOf(linux.resources ?? {}),
      cgroupsPath: cgroupsPathOf(linux.cgroupsPath, root, id),
      devices: (linux.devices ?? []).flatMap(deviceOf),
      maskedPaths: linux.maskedPaths,
      readonlyPaths: linux.readonlyPaths,
      sysctl: linux.sysctl,
      seccomp: await profileOf(linux.seccomp),
      rootfsPropagation: propagationOf(linux.rootfsPropagation),
    },
    annotations,
  };
}

export function processOf({ user, env, ...process }: ConfigProcess): Process {
  const { uid = 0, gid = 0, ...rest } = user ?? {};
  return { ...process, env: env ?? [], user: { uid, gid, ...rest } };
}

/** A relative source is relative to the bundle. config.md, "Mounts". */
function mountOf(
  { destination, type, source, options = [] }: NonNullable<Config['mounts']>[number],
  bundle: string,
): Mount {
  const bound = options.some((option) => option === 'bind' || option === 'rbind');
  if (!bound && type !== 'bind') return { destination, type, source, options };
  if (source === undefined) throw new RuntimeError(`config.json: the bind on ${destination} has no source.`);
  return {
    destination,
    type: 'bind',
    source: isAbsolute(source) ? source : join(bundle, source),
    options: bound ? options : ['bind', ...options],
  };
}

/** 0 processes is how Go writes that there is no limit. Rules of its own do not take from a container what each has. */
export function resourcesOf({ devices, pids, ...rest }: ConfigResources): Resources {
  return { ...rest, pids: pids?.limit === 0 ? undefined : pids, devices: devices && withUsual(devices) };
}

/** Each container may use the devices that each container has. config-linux.md, "Default Devices". */
function withUsual(rules: NonNullable<Resources['devices']>): Resources['devices'] {
  const usual: [type: 'b' | 'c', major: number, minor: number, access: string][] = [
    ['c', -1, -1, 'm'],
    ['b', -1, -1, 'm'],
    ['c', 1, 3, 'rwm'],
    ['c', 1, 5, 'rwm'],
    ['c', 1, 7, 'rwm'],
    ['c', 1, 8, 'rwm'],
    ['c', 1, 9, 'rwm'],
    ['c', 5, 0, 'rwm'],
    ['c', 5, 2, 'rwm'],
    ['c', 136, -1, 'rwm'],
  ];
  return [...rules, ...usual.map(([type, major, minor, access]) => ({ allow: true, type, major, minor, access }))];
}

/** /dev/ptmx is a link into the container's own devpts. */
function deviceOf({
  major = 0,
  minor = 0,
  fileMode,
  ...device
}: NonNullable<Config['linux']['devices']>[number]): Device[] {
  if (normalize(device.path) === '/dev/ptmx') return [];
  return [{ ...device, major, minor, fileMode: fileMode === undefined ? undefined : fileMode & 0o7777 }];
}

/** Without a path of its own a container's cgroup is below this runtime's, apart from those of other state directories. */
function cgroupsPathOf(path: string | undefined, root: string, id: string): string {
  if (path === undefined || path === '')
    return `/skiff/oci-${createHash('sha256').update(root).digest('hex').slice(0, 12)}/${id}`;
  return isAbsolute(path) ? path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1') : `/skiff/${path}`;
}

/** The filter's own reader knows best what it can do; it is loaded only where there is something to read. */
export async function profileOf(seccomp: unknown): Promise<Spec['linux']['seccomp']> {
  if (seccomp === undefined) return undefined;
  const { parseProfile, SeccompProfileError } = await import('../seccomp/profile.ts');
  try {
    return parseProfile(seccomp);
  } catch (error) {
    if (error instanceof SeccompProfileError) throw new RuntimeError(`config.json: linux.seccomp: ${error.message}`);
    throw error;
  }
}

function propagationOf(propagation: Config['linux']['rootfsPropagation']): Spec['linux']['rootfsPropagation'] {
  if (propagation === 'shared' || propagation === 'rshared')
    throw new RuntimeError(
      'config.json: linux.rootfsPropagation shared is not supported: a container could change the mounts of the host. Use slave or private.',
    );
  const plain = propagation?.replace(/^r(?=private|slave|unbindable)/, '').replace(/^runbindable$/, 'unbindable');
  return plain as Spec['linux']['rootfsPropagation'];
}
