import fs from 'node:fs';
import type { Mount, Namespace, Process, Spec } from '../runtime/spec.ts';
import { containerCapabilities, hostCapabilities } from './capabilities.ts';
import { mergeEnvironment } from './command.ts';
import { MASKED_PATHS, READONLY_PATHS } from './default-paths.ts';
import { allHostDevices, DEFAULT_DEVICES, hostDevice } from './devices.ts';
import { ContainerError } from './errors.ts';
import { etcMounts } from './etc-files.ts';
import { specMounts } from './mounts.ts';
import type { ContainerRecord } from './record.ts';
import { containerResources } from './resources.ts';
import { containerLimits } from './rlimits.ts';
import type { ContainerPaths, StateRoot } from './root.ts';
import { securityOptions } from './security-options.ts';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;

export interface SpecContext {
  root: StateRoot;
  paths: ContainerPaths;
  /** The directories of the image's layers, topmost first. */
  lower: string[];
}

/**
 * The runtime specification for a container, with Docker's defaults.
 * @throws ContainerError `invalid` or `unsupported` for what cannot be; so creating a container builds its spec too.
 */
export function buildSpec(record: ContainerRecord, { root, paths, lower }: SpecContext): Spec {
  const { config, hostConfig } = record;
  const privileged = hostConfig.Privileged;
  const seccomp = privileged ? 'unconfined' : securityOptions(hostConfig.SecurityOpt).seccomp;
  return {
    ociVersion: '1.2.0',
    ...(hostConfig.UTSMode !== 'host' && {
      hostname: config.Hostname,
      ...(config.Domainname !== '' && { domainname: config.Domainname }),
    }),
    root: {
      path: root.merged,
      readonly: hostConfig.ReadonlyRootfs,
      overlay: { lower, upper: paths.upper, work: paths.work },
    },
    process: buildProcess(record, {
      args: record.args,
      env: [],
      cwd: config.WorkingDir,
      user: config.User,
      terminal: config.Tty,
      privileged,
      consoleSize: hostConfig.ConsoleSize,
    }),
    mounts: [...defaultMounts(record), ...etcMounts(record, paths), ...specMounts(record.mounts)],
    linux: {
      namespaces: namespaces(record),
      ...(seccomp !== 'unconfined' && { seccomp }),
      resources: { ...containerResources(hostConfig), ...(privileged && { devices: [{ allow: true }] }) },
      ...(Object.keys(hostConfig.Sysctls).length > 0 && { sysctl: hostConfig.Sysctls }),
      cgroupsPath: `${root.cgroups}/${record.id}`,
      devices: [
        ...(privileged ? allHostDevices() : DEFAULT_DEVICES),
        ...hostConfig.Devices.map((device) =>
          hostDevice(device.PathOnHost, device.PathInContainer || device.PathOnHost),
        ),
      ],
      maskedPaths: hostConfig.MaskedPaths ?? (privileged ? [] : MASKED_PATHS),
      readonlyPaths: hostConfig.ReadonlyPaths ?? (privileged ? [] : READONLY_PATHS),
    },
    ...(Object.keys(hostConfig.Annotations).length > 0 && { annotations: hostConfig.Annotations }),
  };
}

export interface ProcessRequest {
  args: string[];
  env: string[];
  cwd: string;
  user: string;
  terminal: boolean;
  privileged: boolean;
  consoleSize: [height: number, width: number];
}

/** A process of the container: its first one, or one that exec starts. */
export function buildProcess({ config, hostConfig }: ContainerRecord, request: ProcessRequest): Process {
  const cwd = request.cwd || '/';
  if (!cwd.startsWith('/'))
    throw new ContainerError('invalid', `the working directory '${cwd}' is invalid, it needs to be an absolute path`);
  const capabilities = containerCapabilities({
    add: hostConfig.CapAdd,
    drop: hostConfig.CapDrop,
    privileged: request.privileged,
  });
  const [height, width] = request.consoleSize;
  return {
    terminal: request.terminal,
    ...(request.terminal && height > 0 && width > 0 && { consoleSize: { height, width } }),
    cwd,
    env: mergeEnvironment(
      [PATH, `HOSTNAME=${config.Hostname}`, ...(request.terminal ? ['TERM=xterm'] : [])],
      config.Env,
      request.env,
    ),
    args: request.args,
    user: { uid: 0, gid: 0, additionalGids: hostConfig.GroupAdd.map(Number) },
    userSpec: request.user || '0',
    rlimits: containerLimits(hostConfig.Ulimits, hostCapabilities().includes('CAP_SYS_RESOURCE')),
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: securityOptions(hostConfig.SecurityOpt).noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj,
  };
}

function namespaces({ hostConfig }: ContainerRecord): Namespace[] {
  const list: Namespace[] = [{ type: 'mount' }];
  if (hostConfig.PidMode !== 'host') list.push({ type: 'pid' });
  if (hostConfig.UTSMode !== 'host') list.push({ type: 'uts' });
  if (hostConfig.IpcMode !== 'host') list.push({ type: 'ipc' });
  if (hostConfig.NetworkMode !== 'host') list.push({ type: 'network' });
  if (hostConfig.CgroupnsMode !== 'host') list.push({ type: 'cgroup' });
  return list;
}

/** Docker's default mounts, less those that the user mounts something else at. */
function defaultMounts({ hostConfig, mounts }: ContainerRecord): Mount[] {
  const access = hostConfig.Privileged ? 'rw' : 'ro';
  const shm = `size=${hostConfig.ShmSize || DEFAULT_SHM_SIZE}`;
  const list: Mount[] = [
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
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    ...(fs.existsSync('/sys/fs/cgroup/cgroup.controllers')
      ? [
          {
            destination: '/sys/fs/cgroup',
            type: 'cgroup2',
            source: 'cgroup',
            options: ['nosuid', 'noexec', 'nodev', access],
          },
        ]
      : []),
    ...(hostConfig.IpcMode === 'host'
      ? ['/dev/mqueue', '/dev/shm'].map((path) => ({
          destination: path,
          type: 'bind',
          source: path,
          options: ['bind', 'nosuid', 'noexec', 'nodev'],
        }))
      : [
          { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
          {
            destination: '/dev/shm',
            type: 'tmpfs',
            source: 'shm',
            options: ['nosuid', 'noexec', 'nodev', 'mode=1777', shm],
          },
        ]),
  ];
  return list.filter(({ destination }) => !mounts.some((mount) => mount.destination === destination));
}
