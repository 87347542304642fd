import * as z from 'zod';
import { build } from '../../container/build.ts';
import type { RunLimits } from '../../container/build-run.ts';
import { parsePlatform } from '../../image/build/build-image.ts';
import type { BuildOptions, Network } from '../../image/build/options.ts';
import { unreasonableJson } from '../../image/json-shape.ts';
import { parseReference } from '../../image/reference.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { JsonStream, type Progress } from '../json-stream.ts';
import { pullAndTell } from '../pull-progress.ts';
import type { Query } from '../query.ts';
import { registryConfig } from '../registry-auth.ts';

/** Beyond Docker's API, whose classic builder has no secrets: a JSON map of ids to base64, itself in base64. */
const SECRETS_HEADER = 'x-skiff-build-secrets';
const FOREVER = { min: -1, max: Number.MAX_SAFE_INTEGER };

/** `POST /build`: the classic builder. It ends, and leaves nothing, when the client hangs up. */
export async function buildRoute(call: Call): Promise<void> {
  const { engine, query, response, signal } = call;
  const options = optionsOf(call);
  options.noCache ||= await lacksCacheSources(call);
  const limits = limitsOf(query);
  const progress = new JsonStream(response);
  const quiet = query.flag('q');
  const logins = registryConfig(call);
  const tell = (line: Progress) => {
    if (!quiet) progress.write(line);
  };
  const remote = query.text('remote') === 'client-session' ? '' : query.text('remote');
  await progress.during(async () => {
    const image = await build(engine, {
      context: remote === '' ? call.bodyStream() : undefined,
      ...(remote !== '' && { remote }),
      options,
      limits,
      alwaysPull: query.flag('pull'),
      pull: (reference, platform) =>
        pullAndTell(engine, { reference, platform, credentials: logins(reference.domain), signal }, tell),
      onOutput: (text) => tell({ stream: text }),
      onImage: (ID) => tell({ aux: { ID } }),
      signal,
    });
    if (quiet) progress.write({ stream: `${image.id}\n` });
  });
}

/** `POST /build/prune`: all of the cache; what images have of it stays theirs. */
export async function pruneBuilds(call: Call): Promise<void> {
  const { engine, query } = call;
  if (query.filters(['until', 'id', 'parent', 'type', 'description', 'inuse', 'shared', 'private']).size > 0)
    throw new ApiError(501, 'This engine prunes all of the build cache at once. Leave --filter out.');
  const { deleted, reclaimed } = await engine.buildCache.prune();
  engine.events.emit('builder', 'prune', '', { reclaimed: String(reclaimed) });
  call.send(200, { CachesDeleted: deleted, SpaceReclaimed: reclaimed });
}

const Names = z.array(z.string()).nullable();

/** Whether `--cache-from` names images and none of them is here: then nothing may come from the cache. */
async function lacksCacheSources({ engine, query }: Call): Promise<boolean> {
  const names = json(query, 'cachefrom', Names) ?? [];
  const found = await Promise.all(names.map((name) => engine.images.find(name).catch(() => undefined)));
  return names.length > 0 && found.every((image) => image === undefined);
}

function optionsOf({ engine, query, request }: Call): BuildOptions {
  refuseUnsupported(query);
  const tags = query.texts('t').filter(Boolean);
  for (const tag of tags)
    if (parseReference(tag).digest) throw new ApiError(400, `refusing to create a tag with a digest reference: ${tag}`);
  const platform = query.text('platform');
  const target = query.text('target');
  return {
    dockerfile: query.text('dockerfile') || 'Dockerfile',
    buildArgs: strings(query, 'buildargs'),
    labels: strings(query, 'labels'),
    tags,
    noCache: query.flag('nocache'),
    ...(platform !== '' && { platform: parsePlatform(platform) }),
    ...(target !== '' && { target }),
    network: networkOf(query.text('networkmode'), engine.networks.settings.bridge),
    secrets: secretsOf(request.headers[SECRETS_HEADER]),
  };
}

/** `rm` and `forcerm` ask for nothing: no container is left of a step. */
function refuseUnsupported(query: Query): void {
  if (query.text('version') === '2')
    throw new ApiError(501, 'This engine has the classic builder only. Set DOCKER_BUILDKIT=0, or use skiff build.');
  for (const [name, flag] of [
    ['squash', '--squash'],
    ['outputs', '--output'],
    ['securityopt', '--security-opt'],
    ['cgroupparent', '--cgroup-parent'],
  ] as const)
    if (!['', '0', 'false', 'null', '[]'].includes(query.text(name)))
      throw new ApiError(501, `This engine does not build with ${flag}. Leave it out.`);
}

/** @param hasBridge whether the default is the network bridge */
function networkOf(mode: string, hasBridge: boolean): Network {
  if (mode === '' || mode === 'default' || (mode === 'bridge' && hasBridge)) return 'default';
  if (mode === 'none' || mode === 'host') return mode;
  const has = hasBridge ? 'bridge, none or host' : 'none or host';
  throw new ApiError(501, `This engine does not build with --network ${mode.slice(0, 60)}. Use ${has}.`);
}

function limitsOf(query: Query): RunLimits {
  const number = (name: string) => query.integer(name, FOREVER) ?? 0;
  const limits = {
    Memory: number('memory'),
    MemorySwap: number('memswap'),
    CpuShares: number('cpushares'),
    CpuPeriod: number('cpuperiod'),
    CpuQuota: number('cpuquota'),
    CpusetCpus: query.text('cpusetcpus'),
    CpusetMems: query.text('cpusetmems'),
    ShmSize: number('shmsize'),
    ExtraHosts: query.texts('extrahosts').flatMap((hosts) => hosts.split(',').filter(Boolean)),
    Ulimits: json(query, 'ulimits', Ulimits) ?? [],
  };
  return limits;
}

const Ulimits = z.array(z.object({ Name: z.string(), Soft: z.int(), Hard: z.int() })).nullable();
/** `--build-arg NAME` of a variable that the client does not have comes as null. */
const Strings = z.record(z.string().max(1024), z.string().max(65_536).nullable()).nullable();

function strings(query: Query, name: string): Record<string, string> {
  const entries = Object.entries(json(query, name, Strings) ?? {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null));
}

/** Values in one parameter. */
const VALUES_MAX = 5000;

function json<T extends z.ZodType>(query: Query, name: string, schema: T): z.infer<T> | undefined {
  const text = query.text(name);
  if (text === '') return undefined;
  try {
    if (unreasonableJson(Buffer.from(text), VALUES_MAX) !== undefined) throw new Error();
    return schema.parse(JSON.parse(text));
  } catch {
    throw new ApiError(400, `invalid parameter ${name}: it is not the JSON that the API describes`);
  }
}

const Secrets = z.record(z.string().max(256), z.base64());

function secretsOf(header: string | string[] | undefined): Record<string, Buffer> {
  if (typeof header !== 'string') return {};
  try {
    const secrets = Secrets.parse(JSON.parse(Buffer.from(header, 'base64').toString()));
    return Object.fromEntries(Object.entries(secrets).map(([id, text]) => [id, Buffer.from(text, 'base64')]));
  } catch {
    throw new ApiError(400, `the header ${SECRETS_HEADER} is not what skiff build sends`);
  }
}
