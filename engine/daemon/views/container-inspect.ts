import type { Container } from '../../container/container.ts';
import { MASKED_PATHS, READONLY_PATHS } from '../../container/default-paths.ts';
import type { Engine } from '../../container/engine.ts';
import type { ContainerRecord } from '../../container/record.ts';
import { containerSize, type SizeOption } from './container-summary.ts';
import { mountPoint } from './mount-point.ts';
import { networkSettings } from './network-settings.ts';

/** Docker's ContainerInspectResponse. */
export async function containerInspect(engine: Engine, container: Container, { size }: SizeOption) {
  const { record, paths } = container;
  const image = await engine.images.find(record.image.id).catch(() => null);
  const running = [...container.execs].filter((id) => engine.execs.get(id)?.state === 'running');
  return {
    Id: record.id,
    Created: record.created,
    Path: record.args[0],
    Args: record.args.slice(1),
    State: {
      Status: record.status,
      // Docker counts one that waits to be started again among those that run.
      Running: container.running || container.restarting,
      Paused: container.paused,
      Restarting: container.restarting,
      OOMKilled: record.oomKilled,
      Dead: record.status === 'dead',
      Pid: record.pid,
      ExitCode: record.exitCode,
      Error: record.error,
      StartedAt: record.startedAt,
      FinishedAt: record.finishedAt,
      ...(record.health && { Health: record.health }),
    },
    Image: record.image.id,
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    LogPath: ['none', 'local'].includes(record.hostConfig.LogConfig.Type) ? '' : paths.log,
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: running.length > 0 ? running : null,
    HostConfig: hostConfigView(record),
    GraphDriver: {
      Name: 'overlay2',
      Data: {
        ...(image && image.lower.length > 0 && { LowerDir: image.lower.join(':') }),
        UpperDir: paths.upper,
        WorkDir: paths.work,
        MergedDir: engine.root.merged,
      },
    },
    ...(size && (await containerSize(engine, record.image.id, paths.upper))),
    Mounts: record.mounts.map(mountPoint),
    Config: configView(record),
    NetworkSettings: networkSettings(engine, container),
  };
}

function configView({ config }: ContainerRecord) {
  const { Healthcheck, ExposedPorts, MacAddress, StopSignal, StopTimeout, Volumes, ...rest } = config;
  return {
    ...rest,
    // Where Docker writes null, its own description of the API allows none.
    Cmd: rest.Cmd ?? [],
    Entrypoint: rest.Entrypoint ?? [],
    Volumes,
    OnBuild: null,
    ...(Object.keys(ExposedPorts).length > 0 && { ExposedPorts }),
    ...(MacAddress !== '' && { MacAddress }),
    ...(Healthcheck !== null && { Healthcheck: withoutZeros(Healthcheck) }),
    ...(StopSignal !== '' && { StopSignal }),
    ...(StopTimeout !== null && { StopTimeout }),
  };
}

/** What was left to the engine is left out. */
function withoutZeros(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== 0));
}

/** What the engine acts on, and Docker's value for "left alone" for all else. */
function hostConfigView({ hostConfig }: ContainerRecord) {
  const { Mounts, Tmpfs, Annotations, MemorySwappiness, PidsLimit, LogConfig, ShmSize, RestartPolicy, ...rest } =
    hostConfig;
  return {
    ContainerIDFile: '',
    VolumeDriver: '',
    Cgroup: '',
    Runtime: 'skiff',
    Isolation: '',
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    DeviceRequests: [],
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    ...rest,
    RestartPolicy: { ...RestartPolicy, Name: RestartPolicy.Name || 'no' },
    CgroupnsMode: hostConfig.CgroupnsMode || 'private',
    IpcMode: hostConfig.IpcMode || 'private',
    LogConfig: { Type: LogConfig.Type || 'json-file', Config: LogConfig.Config },
    ShmSize: ShmSize || 67_108_864,
    PidsLimit: PidsLimit > 0 ? PidsLimit : null,
    ...(MemorySwappiness !== null && { MemorySwappiness }),
    MaskedPaths: hostConfig.MaskedPaths ?? (hostConfig.Privileged ? [] : MASKED_PATHS),
    ReadonlyPaths: hostConfig.ReadonlyPaths ?? (hostConfig.Privileged ? [] : READONLY_PATHS),
    ...(Mounts.length > 0 && { Mounts }),
    ...(Object.keys(Tmpfs).length > 0 && { Tmpfs }),
    ...(Object.keys(Annotations).length > 0 && { Annotations }),
  };
}
