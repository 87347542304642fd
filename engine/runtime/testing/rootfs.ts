/** A root file system of busybox, and specifications that use it. */

import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Capabilities, Linux, Mount, NamespaceType, Process, Root, Spec } from '../spec.ts';
import type { TestShim } from './shim.ts';

const applets = [
  'sh',
  'true',
  'cat',
  'echo',
  'sleep',
  'ls',
  'id',
  'mount',
  'tty',
  'stty',
  'hostname',
  'ps',
  'sha256sum',
];
const more = [
  'dd',
  'head',
  'tail',
  'mknod',
  'seq',
  'yes',
  'grep',
  'mkdir',
  'kill',
  'wc',
  'printf',
  'env',
  'pwd',
  'touch',
];

/** Make a root file system in `directory`. */
export function makeRootfs(directory: string): void {
  for (const each of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp']) mkdirSync(join(directory, each), { recursive: true });
  chmodSync(join(directory, 'tmp'), 0o1777);
  copyFileSync('/bin/busybox', join(directory, 'bin/busybox'));
  for (const applet of [...applets, ...more]) symlinkSync('busybox', join(directory, 'bin', applet));
  writeFileSync(
    join(directory, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1002::/home/alice:/bin/sh\n',
  );
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\nalice:x:1002:\nwheel:x:10:root,alice\naudio:x:29:alice\n');
}

export const usualMounts: Mount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=64m'],
  },
];

const docker = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
];
const capabilityList = [...docker, 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'].map(
  (name) => `CAP_${name}`,
);
export const dockerCapabilities: Capabilities = {
  bounding: capabilityList,
  effective: capabilityList,
  permitted: capabilityList,
};

export const allNamespaces: NamespaceType[] = ['pid', 'network', 'mount', 'ipc', 'uts', 'cgroup'];

export interface SpecOptions {
  process?: Partial<Process>;
  linux?: Partial<Linux>;
  root?: Partial<Root>;
  mounts?: Mount[];
  hostname?: string;
}

/** A specification for `args` in a container of its own name, on an overlay over the shared busybox. */
export function specFor(shim: TestShim, args: string[], options: SpecOptions = {}): Spec {
  const container = shim.newName();
  const rootfs = join(shim.directory, 'rootfs');
  try {
    mkdirSync(rootfs);
    makeRootfs(rootfs);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const directory = join(shim.directory, 'containers', container);
  const [upper, work, path] = ['upper', 'work', 'merged'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [upper, work, path]) mkdirSync(each, { recursive: true });
  return {
    ociVersion: '1.2.0',
    hostname: options.hostname ?? 'inside',
    root: { path, overlay: { lower: [rootfs], upper, work }, ...options.root },
    process: {
      cwd: '/',
      env: ['PATH=/bin'],
      args,
      user: { uid: 0, gid: 0 },
      capabilities: dockerCapabilities,
      ...options.process,
    },
    mounts: options.mounts ?? usualMounts,
    linux: {
      namespaces: allNamespaces.map((type) => ({ type })),
      cgroupsPath: `${shim.cgroups}/${container}`,
      resources: {},
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/acpi', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      ...options.linux,
    },
    annotations: { container },
  };
}

/** The same in a user namespace whose root is host id 300000. */
export function userNamespaced(spec: Spec): Spec {
  const mapping = [{ containerID: 0, hostID: 300_000, size: 65_536 }];
  const namespaces = [{ type: 'user' as const }, ...spec.linux.namespaces];
  return { ...spec, linux: { ...spec.linux, namespaces, uidMappings: mapping, gidMappings: mapping } };
}
