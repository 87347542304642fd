/**
 * The shape of a config.json, as far as this runtime acts on it. A bundle comes from somebody else, so nothing is taken
 * for granted; what the specification does not know is passed over, as it demands ("Extensibility"). What it knows and this
 * runtime does not do is refused before this, by unsupported.ts. https://github.com/opencontainers/runtime-spec
 *
 * zod's small form, since each command of a container's life is a process of its own that loads this.
 */

import * as z from 'zod/mini';
import { RuntimeError } from './error.ts';

const MOST_ENTRIES = 4096;
const LARGEST_ID = 2 ** 32 - 2;

const text = z.string().check(
  z.refine((value) => !value.includes('\0'), { error: 'it holds a NUL byte' }),
  z.maxLength(128 * 1024),
);
const path = text.check(z.maxLength(4096));
const absolute = path.check(z.regex(/^\//, { error: 'it is not an absolute path' }));
const list = <T extends z.core.SomeType>(item: T) => z.array(item).check(z.maxLength(MOST_ENTRIES));
const id = z.int().check(z.minimum(0), z.maximum(LARGEST_ID));
/** Beyond 2⁵³ a number comes as digits; as a double it is as near as the kernel's page counts need it. */
const large = z.pipe(z.union([z.number(), z.string().check(z.regex(/^\d{1,20}$/))]), z.transform(Number));
const words = z.record(text, text);

/** An unlimited resource is the largest number there is. getrlimit(2), RLIM_INFINITY. */
const limit = z.pipe(
  large,
  z.transform((value) => (value >= 2 ** 63 ? Number.POSITIVE_INFINITY : value)),
);

const rlimit = z
  .object({ type: z.string().check(z.regex(/^RLIMIT_[A-Z]+$/)), soft: limit, hard: limit })
  .check(z.refine(({ soft, hard }) => soft <= hard, { error: 'its soft limit is above the hard one' }));

const capabilityNames = list(z.string().check(z.regex(/^CAP_[A-Z_]+$/)));

export const process = z.object({
  terminal: z.optional(z.boolean()),
  consoleSize: z.optional(
    z.object({
      height: z.int().check(z.minimum(0), z.maximum(65535)),
      width: z.int().check(z.minimum(0), z.maximum(65535)),
    }),
  ),
  cwd: absolute,
  env: z.optional(list(text)),
  args: list(text).check(z.minLength(1, { error: 'there is no command' })),
  user: z.optional(
    z.object({
      uid: z.optional(id),
      gid: z.optional(id),
      umask: z.optional(z.int().check(z.minimum(0), z.maximum(0o777))),
      additionalGids: z.optional(z.array(id).check(z.maxLength(65536))),
    }),
  ),
  rlimits: z.optional(list(rlimit)),
  capabilities: z.optional(
    z.object({
      bounding: z.optional(capabilityNames),
      effective: z.optional(capabilityNames),
      inheritable: z.optional(capabilityNames),
      permitted: z.optional(capabilityNames),
      ambient: z.optional(capabilityNames),
    }),
  ),
  noNewPrivileges: z.optional(z.boolean()),
  oomScoreAdj: z.optional(z.int().check(z.minimum(-1000), z.maximum(1000))),
});

const mount = z.object({
  destination: path.check(z.minLength(1)),
  type: z.optional(text),
  source: z.optional(path),
  options: z.optional(list(text)),
});

const hook = z.object({
  path: absolute,
  args: z.optional(list(text)),
  env: z.optional(list(text)),
  /** Seconds. */
  timeout: z.optional(z.int().check(z.minimum(1, { error: 'a timeout is at least one second' }))),
});

const hooks = z.object({
  prestart: z.optional(list(hook)),
  createRuntime: z.optional(list(hook)),
  createContainer: z.optional(list(hook)),
  startContainer: z.optional(list(hook)),
  poststart: z.optional(list(hook)),
  poststop: z.optional(list(hook)),
});

const idMapping = z.object({ containerID: id, hostID: id, size: z.int().check(z.minimum(1), z.maximum(2 ** 32 - 1)) });

const deviceNumber = z.optional(z.int().check(z.minimum(-1), z.maximum(2 ** 32 - 1)));

const deviceRule = z.object({
  allow: z.boolean(),
  type: z.optional(z.enum(['a', 'b', 'c'])),
  major: deviceNumber,
  minor: deviceNumber,
  access: z.optional(z.string().check(z.regex(/^[rwm]*$/))),
});

const number = z.optional(large);
const major = z.int().check(z.minimum(0), z.maximum(2 ** 32 - 1));
const throttled = z.optional(list(z.object({ major, minor: major, rate: large })));
const weight = z.optional(z.int().check(z.minimum(0), z.maximum(65535)));
/** A file of a cgroup, not a path to another one's. */
const fileOfCgroup = z
  .string()
  .check(z.regex(/^[a-z0-9_]+(\.[a-zA-Z0-9_]+)+$/, { error: 'it names no file of a cgroup' }));

export const resources = z.object({
  memory: z.optional(
    z.object({
      limit: number,
      reservation: number,
      swap: number,
      kernel: number,
      kernelTCP: number,
      swappiness: z.optional(z.int().check(z.minimum(0), z.maximum(100))),
      disableOOMKiller: z.optional(z.boolean()),
      useHierarchy: z.optional(z.boolean()),
      checkBeforeUpdate: z.optional(z.boolean()),
    }),
  ),
  cpu: z.optional(
    z.object({
      shares: number,
      quota: number,
      burst: number,
      period: number,
      realtimeRuntime: number,
      realtimePeriod: number,
      cpus: z.optional(text),
      mems: z.optional(text),
      idle: number,
    }),
  ),
  pids: z.optional(z.object({ limit: large })),
  blockIO: z.optional(
    z.object({
      weight,
      leafWeight: weight,
      weightDevice: z.optional(list(z.object({ major, minor: major, weight, leafWeight: weight }))),
      throttleReadBpsDevice: throttled,
      throttleWriteBpsDevice: throttled,
      throttleReadIOPSDevice: throttled,
      throttleWriteIOPSDevice: throttled,
    }),
  ),
  hugepageLimits: z.optional(list(z.object({ pageSize: z.string().check(z.regex(/^[1-9]\d*[KMG]B$/)), limit: large }))),
  network: z.optional(
    z.object({
      classID: z.optional(major),
      priorities: z.optional(list(z.object({ name: z.string().check(z.regex(/^[^\s/]{1,15}$/)), priority: major }))),
    }),
  ),
  rdma: z.optional(
    z.record(
      z.string().check(z.regex(/^[^\s/]+$/)),
      z.object({ hcaHandles: z.optional(major), hcaObjects: z.optional(major) }),
    ),
  ),
  unified: z.optional(z.record(fileOfCgroup, text)),
  devices: z.optional(list(deviceRule)),
});

const device = z.object({
  type: z.enum(['c', 'b', 'p', 'u']),
  path: absolute,
  major: z.optional(z.int().check(z.minimum(0), z.maximum(2 ** 32 - 1))),
  minor: z.optional(z.int().check(z.minimum(0), z.maximum(2 ** 32 - 1))),
  fileMode: z.optional(z.int().check(z.minimum(0), z.maximum(2 ** 32 - 1))),
  uid: z.optional(id),
  gid: z.optional(id),
});

export const propagations = [
  'private',
  'rprivate',
  'slave',
  'rslave',
  'shared',
  'rshared',
  'unbindable',
  'runbindable',
] as const;

function isOnceEach(namespaces: { type: string }[]): boolean {
  return new Set(namespaces.map(({ type }) => type)).size === namespaces.length;
}

const linux = z.object({
  namespaces: z.optional(
    list(
      z.object({
        type: z.enum(['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup']),
        path: z.optional(absolute),
      }),
    ).check(z.refine(isOnceEach, { error: 'a type of namespace stands twice in it' })),
  ),
  uidMappings: z.optional(list(idMapping)),
  gidMappings: z.optional(list(idMapping)),
  resources: z.optional(resources),
  cgroupsPath: z.optional(path),
  devices: z.optional(list(device)),
  maskedPaths: z.optional(list(absolute)),
  readonlyPaths: z.optional(list(absolute)),
  sysctl: z.optional(words),
  /** Checked by the compiler of filters, which knows what it can do. */
  seccomp: z.optional(z.unknown()),
  rootfsPropagation: z.optional(z.enum(propagations)),
});

const config = z.object({
  ociVersion: z
    .string()
    .check(z.regex(/^1\.\d+\.\d+/, { error: 'this runtime follows versions 1.x.y of the specification' })),
  hostname: z.optional(text.check(z.maxLength(64))),
  domainname: z.optional(text.check(z.maxLength(64))),
  root: z.object({ path, readonly: z.optional(z.boolean()) }),
  process,
  mounts: z.optional(list(mount)),
  hooks: z.optional(hooks),
  annotations: z.optional(words),
  linux,
});

export type Config = z.output<typeof config>;
export type ConfigProcess = z.output<typeof process>;
export type ConfigResources = z.output<typeof resources>;
export type Hook = z.output<typeof hook>;
export type Hooks = z.output<typeof hooks>;

/** @throws RuntimeError that names the place in the document and what is wrong there. */
export function parseConfig(document: unknown): Config {
  return parseAs(config, document, 'config.json');
}

export function parseAs<T extends z.core.$ZodType>(schema: T, document: unknown, name: string): z.output<T> {
  const result = z.safeParse(schema, document);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new RuntimeError(`${name} cannot be used: ${issue.path.join('.') || 'at its top'}: ${messageOf(issue)}`);
}

/** The fields that are acted on, as unsupported.ts writes the others: `mounts.*.options`. */
export function configFields(): string[] {
  return fieldsBelow(config, '');
}

function fieldsBelow(schema: z.core.$ZodType, path: string): string[] {
  if (schema instanceof z.ZodMiniOptional) return fieldsBelow(schema.def.innerType, path);
  if (schema instanceof z.ZodMiniArray && schema.def.element instanceof z.ZodMiniObject)
    return fieldsBelow(schema.def.element, `${path}.*`);
  if (!(schema instanceof z.ZodMiniObject)) return [path];
  return Object.entries(schema.def.shape).flatMap(([name, each]) =>
    fieldsBelow(each, path === '' ? name : `${path}.${name}`),
  );
}

/** zod's small form has no texts of its own. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.message !== '' && issue.message !== 'Invalid input') return issue.message;
  if (issue.code === 'invalid_key') return messageOf({ ...issue.issues[0]!, path: [] } as z.core.$ZodIssue);
  if (issue.code === 'invalid_type') return `a ${issue.expected} is expected`;
  if (issue.code === 'invalid_value') return `there is ${issue.values.join(', ')}`;
  if (issue.code === 'too_big') return `at most ${issue.maximum} is allowed`;
  if (issue.code === 'too_small') return `at least ${issue.minimum} is needed`;
  return `it is not what the specification allows (${issue.code})`;
}
