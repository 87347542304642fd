/** A config.json in the terms of this engine. */

import { createHash } from 'node:crypto';
import { isAbsolute, join, normalize } from 'node:path';
import { optionsWithoutUseForBind } from '../mount-options.ts';
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

type ConfigMount = NonNullable<Config['mounts']>[number];

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
function mountOf(mount: ConfigMount, bundle: string): Mount {
  const { destination, type, source, options = [] } = mount;
  if (!isBind(mount)) return { destination, type, source, options };
  if (source === undefined) throw new RuntimeError(`config.json: the bind on ${destination} has no source.`);
  const useless = optionsWithoutUseForBind(options);
  const useful = options.filter((option) => !useless.includes(option));
  return {
    destination,
    type: 'bind',
    source: isAbsolute(source) ? source : join(bundle, source),
    options: useful.some(isBindOption) ? useful : ['bind', ...useful],
  };
}

/** What is passed over, as other runtimes pass it over, and told. @returns a sentence each. */
export function passedOver(mounts: Config['mounts'] = []): string[] {
  return mounts.filter(isBind).flatMap(({ destination, options }) => {
    const useless = optionsWithoutUseForBind(options);
    return useless.length === 0 ? [] : [`mounts: a bind has no use for ${useless.join(', ')} (on ${destination}).`];
  });
}

function isBind({ type, options = [] }: ConfigMount): boolean {
  return type === 'bind' || options.some(isBindOption);
}

const isBindOption = (option: string) => option === 'bind' || option === 'rbind';

/** 0 is how Go writes that nobody has set a limit. Rules of its own do not take from a container what each has. */
export function resourcesOf({ devices, pids, memory, cpu, blockIO, network, ...rest }: ConfigResources): Resources {
  const { swappiness, ...bytes } = memory ?? {};
  const { burst, idle, ...shares } = cpu ?? {};
  return {
    ...rest,
    ...(memory && { memory: { ...withoutZeros(bytes), swappiness } }),
    ...(cpu && { cpu: { ...withoutZeros(shares), burst, idle } }),
    ...(blockIO && hasAny(withoutZeros(blockIO)) && { blockIO: withoutZeros(blockIO) }),
    ...(network && { network: withoutZeros(network) }),
    pids: pids?.limit === 0 ? undefined : pids,
    devices: devices && withUsual(devices),
  };
}

function withoutZeros<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0)) as T;
}

function hasAny(values: object): boolean {
  return Object.values(values).some((value) => value !== undefined && !(Array.isArray(value) && value.length === 0));
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

/** A private, slave or unbindable root is so with all that is mounted in it. */
function propagationOf(propagation: Config['linux']['rootfsPropagation']): Spec['linux']['rootfsPropagation'] {
  const plain = propagation?.replace(/^r(?=private|slave|unbindable)/, '');
  return plain as Spec['linux']['rootfsPropagation'];
}
