import fs from 'node:fs';
import { hasId, inUserNamespace } from '#kernel/user-namespace';
import { whyNoCgroups } from '../runtime/cgroups/host.ts';
import type { Device, Mount, Namespace, Process, Spec } from '../runtime/spec.ts';
import { containerCapabilities, hostCapabilities } from './capabilities.ts';
import { cgroupOf } from './cgroup.ts';
import { mergeEnvironment } from './command.ts';
import { MASKED_PATHS, READONLY_PATHS } from './default-paths.ts';
import { deviceAccess } from './device-access.ts';
import { allHostDevices, DEFAULT_DEVICES, hostDevice } from './devices.ts';
import { ContainerError } from './errors.ts';
import { etcMounts } from './etc-files.ts';
import { rootPropagation, specMounts } from './mounts.ts';
import { sharesNetworkOf } from './network.ts';
import type { ContainerRecord } from './record.ts';
import { containerResources } from './resources.ts';
import { containerLimits } from './rlimits.ts';
import { type ContainerPaths, containerPaths, type StateRoot } from './root.ts';
import { securityOptions } from './security-options.ts';
import { defaultSysctls } from './sysctls.ts';
import { remapOf, type UserRemap } from './user-remap.ts';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const TTY_GROUP = 5;
const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;

export interface SpecContext {
  root: StateRoot;
  paths: ContainerPaths;
  /** The directories of the image's layers, topmost first. */
  lower: string[];
  /** Whose ids it gets if it does not share the host's. */
  remap?: UserRemap;
  /** The path of a network namespace that was made before; the container makes its own without. */
  network?: string | undefined;
}

/**
 * The runtime specification for a container, with Docker's defaults.
 * @throws ContainerError `invalid` or `unsupported` for what cannot be; so creating a container builds its spec too.
 */
export function buildSpec(record: ContainerRecord, { root, paths, lower, remap: asked, network }: SpecContext): Spec {
  const { config, hostConfig } = record;
  const privileged = hostConfig.Privileged;
  const remap = remapOf(asked, hostConfig);
  const inNamespace = remap !== undefined || inUserNamespace();
  const seccomp = privileged ? 'unconfined' : securityOptions(hostConfig.SecurityOpt).seccomp;
  const resources = containerResources(hostConfig);
  const devices = deviceAccess(hostConfig);
  const propagation = rootPropagation(record.mounts);
  refuseWithoutCgroups(record, Object.keys(resources));
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
      ...(remap && { mapped: { directory: root.dir, scratch: root.run } }),
    },
    process: {
      ...buildProcess(record, {
        args: record.args,
        env: [],
        cwd: config.WorkingDir,
        user: config.User,
        terminal: config.Tty,
        privileged,
        consoleSize: hostConfig.ConsoleSize,
      }),
      ...(hostConfig.Init && { init: true }),
    },
    mounts: [
      ...defaultMounts(record, inNamespace),
      ...outermostFirst([...etcMounts(record, etcPaths(record, root, paths)), ...specMounts(record.mounts)]),
      ...(inNamespace ? deviceMounts(record) : []),
    ],
    linux: {
      namespaces: [...(remap ? [{ type: 'user' as const }] : []), ...namespaces(record, network)],
      ...(propagation !== undefined && { rootfsPropagation: propagation }),
      ...(remap && { uidMappings: remap.uids, gidMappings: remap.gids }),
      ...(seccomp !== 'unconfined' && { seccomp }),
      resources: { ...resources, ...(devices && { devices }) },
      sysctl: { ...defaultSysctls(hostConfig.NetworkMode, inNamespace), ...hostConfig.Sysctls },
      ...(whyNoCgroups() === null && { cgroupsPath: cgroupOf(root, record) }),
      devices: [...(privileged ? allHostDevices() : DEFAULT_DEVICES), ...(inNamespace ? [] : requestedDevices(record))],
      maskedPaths: hostConfig.MaskedPaths ?? (privileged ? [] : MASKED_PATHS),
      readonlyPaths: hostConfig.ReadonlyPaths ?? (privileged ? [] : READONLY_PATHS),
    },
    ...(Object.keys(hostConfig.Annotations).length > 0 && { annotations: hostConfig.Annotations }),
  };
}

/** Containers that share a network share the files that name its hosts. */
function etcPaths({ hostConfig }: ContainerRecord, root: StateRoot, own: ContainerPaths): ContainerPaths {
  const other = sharesNetworkOf(hostConfig.NetworkMode);
  return other === undefined ? own : containerPaths(root, other);
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
    user: { uid: 0, gid: 0 },
    userSpec: request.user || '0',
    ...(hostConfig.GroupAdd.length > 0 && { groupSpecs: hostConfig.GroupAdd }),
    rlimits: containerLimits(hostConfig.Ulimits, canRaiseLimits()),
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: securityOptions(hostConfig.SecurityOpt).noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj,
  };
}

function requestedDevices({ hostConfig }: ContainerRecord): Device[] {
  return hostConfig.Devices.map(({ PathOnHost, PathInContainer }) =>
    hostDevice(PathOnHost, PathInContainer || PathOnHost),
  );
}

/** Nobody makes a node in a user namespace, but the host's can be shown, with the host's owner and mode. */
function deviceMounts(record: ContainerRecord): Mount[] {
  return requestedDevices(record).map(({ path }, index) => ({
    destination: path,
    type: 'bind',
    source: record.hostConfig.Devices[index]!.PathOnHost,
    options: ['bind', 'nosuid', 'noexec'],
  }));
}

/** A limit that would not hold is not taken; and what nothing holds together cannot be ended as a whole. */
function refuseWithoutCgroups({ hostConfig }: ContainerRecord, limits: string[]): void {
  const why = whyNoCgroups();
  if (why === null) return;
  if (limits.length > 0) throw new ContainerError('unsupported', why);
  if (hostConfig.PidMode === 'host')
    throw new ContainerError('unsupported', `Without a control group there is no --pid host. ${why}`);
}

/** The kernel asks for the machine's own CAP_SYS_RESOURCE, whatever a user namespace has. setrlimit(2). */
function canRaiseLimits(): boolean {
  return !inUserNamespace() && hostCapabilities().includes('CAP_SYS_RESOURCE');
}

/** @param network the path of a network namespace that is there already. */
function namespaces({ hostConfig }: ContainerRecord, network: string | undefined): Namespace[] {
  const list: Namespace[] = [{ type: 'mount' }];
  if (hostConfig.PidMode !== 'host') list.push({ type: 'pid' });
  if (hostConfig.UTSMode !== 'host') list.push({ type: 'uts' });
  if (hostConfig.IpcMode !== 'host') list.push({ type: 'ipc' });
  if (hostConfig.NetworkMode !== 'host')
    list.push({ type: 'network', ...(network !== undefined && { path: network }) });
  if (hostConfig.CgroupnsMode !== 'host') list.push({ type: 'cgroup' });
  return list;
}

/** Docker's default mounts, less those that the user mounts something else at. */
function defaultMounts({ hostConfig, mounts }: ContainerRecord, inNamespace: boolean): Mount[] {
  const access = hostConfig.Privileged ? 'rw' : 'ro';
  const shm = `size=${hostConfig.ShmSize || DEFAULT_SHM_SIZE}`;
  const view = (destination: string, type: string, mode: string, options: string[]) =>
    kernelView({ destination, type, options, shared: mode === 'host' && inNamespace });
  const list: Mount[] = [
    view('/proc', 'proc', hostConfig.PidMode, []),
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
      options: [
        'nosuid',
        'noexec',
        'newinstance',
        'ptmxmode=0666',
        'mode=0620',
        ...(hasId('gid', TTY_GROUP) ? [`gid=${TTY_GROUP}`] : []),
      ],
    },
    view('/sys', 'sysfs', hostConfig.NetworkMode, [access]),
    ...cgroupView(access, (options) => view('/sys/fs/cgroup', 'cgroup2', hostConfig.CgroupnsMode, options)),
    ...(hostConfig.IpcMode === 'host'
      ? ['/dev/mqueue', '/dev/shm']
          .filter((path) => fs.existsSync(path))
          .map((path) => ({
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

/** v2's tree is a file system of the namespace; of v1's hierarchies each container is shown its own cgroup. */
function cgroupView(access: string, unified: (options: string[]) => Mount): Mount[] {
  if (fs.existsSync('/sys/fs/cgroup/cgroup.controllers')) return [unified([access])];
  if (whyNoCgroups() !== null) return [];
  const options = ['nosuid', 'noexec', 'nodev', 'relatime', access];
  return [{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options }];
}

/** So that what is mounted in a directory is not hidden by what is mounted over it. Those of one depth keep their order. */
function outermostFirst(mounts: Mount[]): Mount[] {
  const depth = ({ destination }: Mount) => destination.split('/').length;
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}

/**
 * A file system that shows a namespace. Root of a user namespace may mount it for a namespace of its own only; what the
 * container shares with the host is shown as the host has it.
 */
function kernelView(view: { destination: string; type: string; options: string[]; shared: boolean }): Mount {
  const { destination, type, shared } = view;
  const options = ['nosuid', 'noexec', 'nodev', ...view.options];
  return shared
    ? { destination, type: 'bind', source: destination, options: ['rbind', ...options] }
    : { destination, type, source: type === 'cgroup2' ? 'cgroup' : type, options };
}
