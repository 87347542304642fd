/** RUN of a Dockerfile: a container that no list shows and that leaves nothing but what it changed. */

import type { Socket } from 'node:net';
import path from 'node:path';
import { inUserNamespace } from '#kernel/user-namespace';
import type { Run, RunMount, RunRequest } from '../image/build/options.ts';
import type { Exited } from '../runtime/shim/protocol.ts';
import { ContainerConfig, HostConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { ContainerError } from './errors.ts';
import { writeEtcFiles } from './etc-files.ts';
import { newId } from './identity.ts';
import type { ContainerMount } from './mounts.ts';
import { connectNetwork, disconnectNetwork, networkMode } from './network.ts';
import { chooseEndpoints } from './networks/choose.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerPaths } from './root.ts';
import { buildSpec } from './spec.ts';
import { startFailure } from './start-failure.ts';
import { NEVER, now } from './time.ts';

/** Limits of every command of a build, as the fields of HostConfig are called. */
export type RunLimits = Partial<
  Pick<
    HostConfig,
    | 'Memory'
    | 'MemorySwap'
    | 'CpuShares'
    | 'CpuPeriod'
    | 'CpuQuota'
    | 'CpusetCpus'
    | 'CpusetMems'
    | 'NanoCpus'
    | 'ShmSize'
    | 'ExtraHosts'
    | 'Ulimits'
  >
>;

/** The way to run commands, for the room below. @throws ContainerError `invalid` for limits that cannot be */
export function commandRunner(engine: Engine, limits: RunLimits): Run {
  return async (request) => {
    request.signal.throwIfAborted();
    if (engine.refusal !== undefined) throw new ContainerError('unsupported', engine.refusal);
    const record = recordOf(engine, request, limits);
    const paths = pathsOf(request);
    const key = { container: record.id };
    const network = await connectNetwork(engine, record);
    const ended = untilEnd(engine, record.id);
    const kill = () => void engine.shim.request('signal', { key, signal: 9, all: true }).catch(() => {});
    try {
      writeEtcFiles(engine, record, paths);
      const { root, remap } = engine;
      const spec = buildSpec(record, { root, paths, lower: request.lower, remap, network: network?.path });
      await engine.shim.request('open', { key, stdio: { terminal: false, stdin: false, stdinOnce: false } });
      const streams = await engine.shim.attach({ role: 'attach', key, stdin: false, stdout: true, stderr: true });
      const printed = readOutput(streams, request.onOutput);
      await engine.shim.request('start', { container: record.id, spec }).catch((error) => {
        streams.destroy();
        throw startFailure(error, request.args[0] ?? '').error;
      });
      network?.letGo();
      request.signal.addEventListener('abort', kill);
      if (request.signal.aborted) kill();
      const { status } = await ended.exit;
      await printed;
      request.signal.throwIfAborted();
      return status.exitCode;
    } finally {
      request.signal.removeEventListener('abort', kill);
      ended.stop();
      await engine.shim.request('forget', { key }).catch(() => {});
      network?.letGo();
      disconnectNetwork(engine, record);
    }
  };
}

function untilEnd(engine: Engine, id: string): { exit: Promise<Exited>; stop(): void } {
  let onLost = () => {};
  const exit = new Promise<Exited>((resolve, reject) => {
    engine.hidden.set(id, resolve);
    onLost = () => reject(new ContainerError('failed', 'the shim has gone, and the command with it'));
    engine.shim.on('lost', onLost);
  });
  exit.catch(() => {});
  return {
    exit,
    stop: () => {
      engine.hidden.delete(id);
      engine.shim.off('lost', onLost);
    },
  };
}

function recordOf(
  engine: Engine,
  { args, env, cwd, user, network, mounts }: RunRequest,
  limits: RunLimits,
): ContainerRecord {
  const id = newId();
  const config = ContainerConfig.parse({ Hostname: id.slice(0, 12), User: user, Env: env, WorkingDir: cwd });
  const asked = HostConfig.parse({ ...limits, NetworkMode: network });
  // The programs that give an ordinary user's containers a network are not started for the commands of a build.
  const mode = inUserNamespace() && network === 'default' ? 'none' : networkMode(engine, asked);
  const hostConfig = { ...asked, NetworkMode: mode };
  return {
    version: 1,
    id,
    name: '',
    created: now(),
    image: { id: '', reference: '' },
    config,
    hostConfig,
    args,
    mounts: mounts.map(mountOf),
    endpoints: chooseEndpoints(engine, { config, hostConfig, networking: { EndpointsConfig: {} } }),
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
}

function mountOf({ destination, source, readonly, options }: RunMount): ContainerMount {
  return {
    type: source === undefined ? 'tmpfs' : 'bind',
    name: '',
    source: source ?? '',
    destination,
    readonly,
    recursive: true,
    mode: '',
    anonymous: false,
    copy: false,
    makeSource: false,
    options: source === undefined ? ['nosuid', 'nodev', ...options] : options,
  };
}

function pathsOf({ scratch, upper, work }: RunRequest): ContainerPaths {
  return {
    dir: scratch,
    record: path.join(scratch, 'container.json'),
    log: path.join(scratch, 'log.json'),
    hostname: path.join(scratch, 'hostname'),
    hosts: path.join(scratch, 'hosts'),
    resolvConf: path.join(scratch, 'resolv.conf'),
    upper,
    work,
  };
}

const HEADER = 8;
const STDERR = 2;

/** Hand the text of both streams on. Docker Engine API, ContainerAttach, "Stream format". */
async function readOutput(streams: Socket, onOutput: (text: string) => void): Promise<void> {
  const decoders = [new TextDecoder(), new TextDecoder(), new TextDecoder()];
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of streams) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      while (rest.length >= HEADER) {
        const end = HEADER + rest.readUInt32BE(4);
        if (rest.length < end) break;
        const text = decoders[rest[0] ?? 0]?.decode(rest.subarray(HEADER, end), { stream: true });
        // As the classic builder has it, what goes to standard error is red.
        if (text) onOutput(rest[0] === STDERR ? `\x1b[91m${text}\x1b[0m` : text);
        rest = rest.subarray(end);
      }
    }
  } catch {
    // The connection broke: how the command ended is told on another.
  }
}
