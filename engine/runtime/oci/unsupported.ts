/** What the specification has and this runtime has not. Left out in silence it could be a hole; so it is refused by name. */

import { RuntimeError } from './error.ts';

const platform = 'this runtime is for Linux';

/** Where it stands → why, or what to do instead. `*` is each entry of a list. */
export const unsupported: Record<string, string> = {
  solaris: platform,
  windows: platform,
  vm: 'this runtime starts no virtual machines',
  zos: platform,
  freebsd: platform,
  'process.apparmorProfile': 'run without it (podman: --security-opt apparmor=unconfined)',
  'process.commandLine': platform,
  'process.execCPUAffinity': 'set linux.resources.cpu.cpus instead',
  'process.ioPriority': 'run ionice in the container instead',
  'process.scheduler': 'run chrt or nice in the container instead',
  'process.selinuxLabel': 'run without it (podman: --security-opt label=disable)',
  'process.user.username': platform,
  'mounts.*.gidMappings': 'mounts with mapped ids are not supported; change the owner of the source instead',
  'mounts.*.uidMappings': 'mounts with mapped ids are not supported; change the owner of the source instead',
  'linux.intelRdt': 'leave it out',
  'linux.memoryPolicy': 'set linux.resources.cpu.mems instead',
  'linux.mountLabel': 'run without it (podman: --security-opt label=disable)',
  'linux.netDevices': 'move the device into the network namespace before the start',
  'linux.personality': 'run setarch in the container instead',
  'linux.timeOffsets': 'time namespaces are not supported',
};

/** Where 0 and nothing at all mean something too; elsewhere they are how Go writes that nobody has set it. */
const meantWhenEmpty = new Set(['freebsd', 'linux.intelRdt', 'solaris', 'vm', 'windows', 'zos']);

/** Mount options that the kernel does not know by that name, and that mount(2) would be handed as if a file system did. */
const unsupportedMountOptions = new Set(['idmap', 'ridmap']);

/** @throws RuntimeError that names the first field there is. */
export function refuseUnsupported(config: unknown): void {
  refuse(config, unsupported, 'config.json: ');
  for (const type of values(config, ['linux', 'namespaces', '*', 'type']))
    if (type === 'time')
      throw new RuntimeError('config.json: a linux.namespaces of type time is not supported; leave it out.');
  for (const options of values(config, ['mounts', '*', 'options']))
    for (const option of Array.isArray(options) ? options : [])
      if (unsupportedMountOptions.has(option))
        throw new RuntimeError(`config.json: the mount option ${option} is not supported; leave it out.`);
}

/** @throws RuntimeError for a process of `exec` */
export function refuseUnsupportedProcess(process: unknown): void {
  refuse({ process }, unsupported, '');
}

function refuse(document: unknown, table: Record<string, string>, where: string): void {
  for (const [field, way] of Object.entries(table))
    if (values(document, field.split('.')).some(meantWhenEmpty.has(field) ? isThere : isSet))
      throw new RuntimeError(`${where}${field.replace('.*', '')} is not supported by this runtime: ${way}.`);
}

function values(document: unknown, [name, ...rest]: string[]): unknown[] {
  if (name === undefined) return [document];
  if (name === '*') return Array.isArray(document) ? document.flatMap((each) => values(each, rest)) : [];
  return values(at(document, [name]), rest);
}

function at(document: unknown, names: string[]): unknown {
  return names.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined,
    document,
  );
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Go writes some fields that nobody has set. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
