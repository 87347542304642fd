import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inUserNamespace } from '#kernel/user-namespace';
import { makeRootDirectories } from '#overlay';
import { resolveInTree } from '../image/build/build.ts';
import { StackTree } from '../image/build/stack-tree.ts';
import type { ImageRecord } from '../image/images.ts';
import { checkCgroupParent } from './cgroup.ts';
import { commandLine, mergeImageConfig } from './command.ts';
import type { ContainerConfig, HostConfig } from './config.ts';
import { Container } from './container.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';
import { checkDns, checkExtraHosts } from './etc-files.ts';
import { makeInContainer } from './files/files.ts';
import { findImage } from './find-image.ts';
import { checkHealthCheck } from './health.ts';
import { inventName, newId, parseName } from './identity.ts';
import { inheritedMounts } from './inherited-mounts.ts';
import { completeLogConfig } from './log-options.ts';
import { containerMounts } from './mounts.ts';
import { networkMode, sharesNetworkOf } from './network.ts';
import { checkNetworkOptions } from './networks/check-options.ts';
import { chooseEndpoints } from './networks/choose.ts';
import type { NetworkingConfig } from './networks/endpoint.ts';
import { exposedPorts } from './networks/port-map.ts';
import type { ContainerRecord } from './record.ts';
import { checkRestartPolicy } from './restart-policy.ts';
import { containerPaths } from './root.ts';
import { parseSignal } from './signals.ts';
import { forgetSizeLimit, limitSize, sizeLimit } from './size-limit.ts';
import { buildSpec } from './spec.ts';
import { checkSysctls } from './sysctls.ts';
import { NEVER, now } from './time.ts';
import { fillVolumes } from './volume-content.ts';
import { createVolume } from './volumes.ts';

/** NGROUPS_MAX, linux/limits.h, is 65536; what comes with the user and the image needs some too. */
const MOST_GROUPS = 1024;

export interface CreateRequest {
  /** Invented when empty. */
  name: string;
  config: ContainerConfig;
  hostConfig: HostConfig;
  networking: NetworkingConfig;
  /** `os[/arch[/variant]]` the image has to be for; any if empty. */
  platform: string;
}

/**
 * Make a container of an image this root has. It does not run yet; all that can be known to be wrong with it is said now.
 * @throws ContainerError · ImageNotFound · the file system's error, with nothing left behind
 */
export async function createContainer(engine: Engine, request: CreateRequest): Promise<Container> {
  if (engine.refusal !== undefined) throw new ContainerError('unsupported', engine.refusal);
  const image = await findImage(engine, request.config.Image);
  const unpin = engine.images.pin(image);
  try {
    return await createOf(engine, request, image);
  } finally {
    unpin();
  }
}

async function createOf(engine: Engine, request: CreateRequest, image: ImageRecord): Promise<Container> {
  checkPlatform(request, image.config);
  const lower = await engine.images.prepare(image);
  const [topmost = engine.root.places] = lower;
  const id = newId();
  const config = mergeImageConfig(request.config, image.config.config ?? {});
  const hostConfig = {
    ...request.hostConfig,
    NetworkMode: networkMode(engine, request.hostConfig),
    LogConfig: completeLogConfig(request.hostConfig.LogConfig),
  };
  checkModes(config, hostConfig);
  checkNetworkOptions(engine, request.config, hostConfig);
  checkImagePorts(config);
  checkRestartPolicy(hostConfig);
  checkHealthCheck(request.config);
  const record: ContainerRecord = {
    version: 1,
    id,
    name: request.name === '' ? inventName((name) => engine.containers.isTaken(name)) : parseName(request.name),
    created: now(),
    image: { id: image.id, reference: request.config.Image },
    config: { ...config, Hostname: config.Hostname || defaultHostname(engine, id, hostConfig) },
    hostConfig,
    args: commandLine(config),
    mounts: containerMounts(
      {
        binds: hostConfig.Binds,
        mounts: hostConfig.Mounts,
        tmpfs: hostConfig.Tmpfs,
        inherited: inheritedMounts(engine, hostConfig.VolumesFrom),
        volumes: Object.keys(config.Volumes),
      },
      engine.root.volumes,
    ),
    endpoints: chooseEndpoints(engine, { config, hostConfig, networking: request.networking }),
    published: [],
    status: 'created',
    pid: 0,
    startTime: '',
    startedAt: NEVER,
    finishedAt: NEVER,
    exitCode: 0,
    oomKilled: false,
    restartCount: 0,
    stoppedByHand: false,
    error: '',
  };
  for (const mount of record.mounts)
    if (mount.type === 'bind' && !mount.makeSource && !fs.existsSync(mount.source))
      throw new ContainerError(
        'invalid',
        `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
      );
  const paths = containerPaths(engine.root, id);
  const size = sizeLimit(hostConfig.StorageOpt);
  buildSpec(record, { root: engine.root, paths, lower: [], remap: engine.remap });

  engine.containers.reserve(record.name, id);
  const container = new Container(record, paths, true);
  try {
    fs.mkdirSync(paths.dir, { mode: 0o700 });
    makeRootDirectories(paths, topmost);
    if (size !== undefined) limitSize(engine.root, paths, size);
    await fillVolumes(engine.root, record.mounts, lower);
    for (const { type, name, anonymous } of record.mounts)
      if (type === 'volume') createVolume(engine, { name, labels: {}, anonymous });
    if (isMissing(lower, config.WorkingDir)) await makeInContainer(engine, container, config.WorkingDir);
    await container.save();
  } catch (error) {
    engine.containers.release(record.name);
    if (size !== undefined) forgetSizeLimit(paths);
    engine.trash.discard(paths.dir);
    for (const { anonymous, name } of record.mounts)
      if (anonymous) engine.trash.discard(path.join(engine.root.volumes, name));
    throw error;
  }
  engine.containers.add(container);
  emitContainerEvent(engine, container, 'create');
  return container;
}

/** Whether the image has nothing at a working directory: then it is made at once, so that `cp` finds it too. */
function isMissing(lower: string[], directory: string): boolean {
  return directory !== '' && resolveInTree(new StackTree(lower), directory) === undefined;
}

/** Those of the request are checked before: what is wrong now comes from the image. */
function checkImagePorts({ ExposedPorts, Image }: ContainerConfig): void {
  try {
    exposedPorts(Object.keys(ExposedPorts));
  } catch (error) {
    throw new ContainerError(
      'invalid',
      `with the ports that ${Image.slice(0, 200)} exposes: ${(error as Error).message}`,
    );
  }
}

function checkPlatform(
  { platform, config }: CreateRequest,
  image: { os: string; architecture: string; variant?: string },
): void {
  const has = [image.os, image.architecture, image.variant ?? ''];
  if (platform.split('/').some((part, index) => part !== '' && has[index] !== '' && part.toLowerCase() !== has[index]))
    throw new ContainerError(
      'not-found',
      `image ${config.Image} is for ${has.filter(Boolean).join('/')}, not for ${platform.slice(0, 60)}. Leave --platform out.`,
    );
}

function defaultHostname(engine: Engine, id: string, { NetworkMode, UTSMode }: HostConfig): string {
  const other = engine.containers.get(sharesNetworkOf(NetworkMode) ?? '');
  if (other) return other.record.config.Hostname;
  return NetworkMode === 'host' || UTSMode === 'host' ? os.hostname() : id.slice(0, 12);
}

const MODES = {
  PidMode: ['', 'private', 'host'],
  IpcMode: ['', 'private', 'shareable', 'host'],
  UTSMode: ['', 'private', 'host'],
  CgroupnsMode: ['', 'private', 'host'],
} as const;

function checkModes(config: ContainerConfig, hostConfig: HostConfig): void {
  for (const [field, modes] of Object.entries(MODES)) {
    const mode = hostConfig[field as keyof typeof MODES];
    if (!modes.some((known) => known === mode))
      throw new ContainerError(
        'unsupported',
        `This engine does not have HostConfig.${field} "${mode.slice(0, 60)}". It has ${modes.slice(1).join(' and ')}.`,
      );
  }
  if (config.Hostname !== '' && hostConfig.UTSMode === 'host')
    throw new ContainerError('invalid', 'conflicting options: hostname and the UTS mode');
  if (config.Hostname.length > 63 || !/^[\w.-]*$/.test(config.Hostname) || !/^[\w.-]{0,63}$/.test(config.Domainname))
    throw new ContainerError(
      'invalid',
      `invalid hostname: ${config.Hostname.slice(0, 80)}. It has 1 to 63 of a-z, 0-9, "." and "-".`,
    );
  if (hostConfig.OomScoreAdj < -1000 || hostConfig.OomScoreAdj > 1000)
    throw new ContainerError(
      'invalid',
      `Invalid value ${hostConfig.OomScoreAdj}, range for oom score adj is [-1000, 1000]`,
    );
  if (inUserNamespace() && hostConfig.OomScoreAdj < 0)
    throw new ContainerError('unsupported', 'A negative --oom-score-adj needs root. Leave it out, or use sudo.');
  if (hostConfig.ShmSize < 0) throw new ContainerError('invalid', 'SHM size can not be less than 0');
  if (config.StopSignal !== '') parseSignal(config.StopSignal);
  checkSysctls(hostConfig);
  if (hostConfig.GroupAdd.length > MOST_GROUPS)
    throw new ContainerError(
      'invalid',
      `at most ${MOST_GROUPS} groups can be added; these are ${hostConfig.GroupAdd.length}.`,
    );
  checkCgroupParent(hostConfig.CgroupParent);
  checkExtraHosts(hostConfig.ExtraHosts);
  checkDns(hostConfig.Dns, [...hostConfig.DnsOptions, ...hostConfig.DnsSearch]);
}
