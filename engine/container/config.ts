/**
 * What a container is asked to be: the documents ContainerConfig and HostConfig of the Docker Engine API, as far as this
 * engine acts on them. Read once, at the edge: what comes out has no nulls and no strings that C would cut short.
 */

import * as z from 'zod';

const text = z
  .string()
  .max(65_536)
  .refine((value) => !value.includes('\0'), 'has a NUL character');
const string = text.nullish().transform((value) => value ?? '');
const strings = z
  .array(text)
  .max(4096)
  .nullish()
  .transform((value) => value ?? []);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
/** Go's integers that JavaScript can hold. Absent and 0 both mean "as the engine likes". */
const integer = z
  .int()
  .nullish()
  .transform((value) => value ?? 0);
const map = z
  .record(text, text)
  .nullish()
  .transform((value) => value ?? {});
const set = z
  .record(text, z.unknown())
  .nullish()
  .transform((value) => Object.fromEntries(Object.keys(value ?? {}).map((key) => [key, {}])));
/** A command is a list, or one string; null leaves it to the image. */
const command = z
  .union([z.array(text).max(65_536), text.transform((value) => (value === '' ? [] : [value]))])
  .nullish()
  .transform((value) => value ?? null);

const environment = strings.refine(
  (entries) => entries.every((entry) => entry !== '' && !entry.startsWith('=')),
  'has an entry without a name: environment variables are NAME=value',
);

export const ContainerConfig = z.object({
  Hostname: string,
  Domainname: string,
  User: string,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: environment,
  Cmd: command,
  Entrypoint: command,
  Image: string,
  Volumes: set,
  WorkingDir: string,
  Labels: map,
  ExposedPorts: set,
  /** Of the endpoint in the network that NetworkMode names. */
  MacAddress: string,
  StopSignal: z
    .union([text, z.int().transform(String)])
    .nullish()
    .transform((value) => value ?? ''),
  /** Seconds; −1 waits for ever. */
  StopTimeout: z
    .int()
    .min(-1)
    .max(1_000_000)
    .nullish()
    .transform((value) => value ?? null),
  Healthcheck: z
    .object({
      Test: strings,
      /** Nanoseconds, as all durations here; 0 leaves each to the image, and then to the engine. */
      Interval: integer,
      Timeout: integer,
      StartPeriod: integer,
      StartInterval: integer,
      Retries: integer,
    })
    .nullish()
    .transform((value) => value ?? null),
});
export type ContainerConfig = z.infer<typeof ContainerConfig>;

const Mount = z.object({
  Type: z.enum(['bind', 'volume', 'tmpfs'], 'is not bind, volume or tmpfs'),
  Source: string,
  Target: string,
  ReadOnly: flag,
  BindOptions: z.looseObject({ Propagation: string, NonRecursive: flag, CreateMountpoint: flag }).nullish(),
  VolumeOptions: z.looseObject({ Subpath: string, NoCopy: flag }).nullish(),
  TmpfsOptions: z.looseObject({ SizeBytes: integer, Mode: integer }).nullish(),
});
export type MountRequest = z.infer<typeof Mount>;

const Device = z.object({ PathOnHost: string, PathInContainer: string, CgroupPermissions: string });
const Ulimit = z.object({ Name: text, Soft: z.int(), Hard: z.int() });
export type Ulimit = z.infer<typeof Ulimit>;

const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .max(1024)
    .nullish()
    .transform((value): z.infer<T>[] => (value ?? []) as z.infer<T>[]);

/** By the container's port, `80/tcp`: what of the host's leads there. */
const ports = z
  .record(
    text,
    z
      .array(z.object({ HostIp: string, HostPort: string }))
      .max(1024)
      .nullish(),
  )
  .nullish()
  .transform((value) =>
    Object.fromEntries(Object.entries(value ?? {}).map(([port, bindings]) => [port, bindings ?? []])),
  );

const WeightDevice = z.object({ Path: text, Weight: z.int() });
const ThrottleDevice = z.object({ Path: text, Rate: z.int().min(0) });
export type ThrottleDevice = z.infer<typeof ThrottleDevice>;

export const HostConfig = z.object({
  Binds: strings,
  Mounts: list(Mount),
  Tmpfs: map,
  AutoRemove: flag,
  RestartPolicy: z
    .object({ Name: string, MaximumRetryCount: integer })
    .nullish()
    .transform((value) => value ?? { Name: '', MaximumRetryCount: 0 }),
  /** Names or ids of containers, each with `:ro` or `:rw`, whose mounts this one gets too. */
  VolumesFrom: strings,
  /** A network's name or id, `none`, `host`, `container:NAME`; empty and `default` for the engine's default. */
  NetworkMode: string,
  PortBindings: ports,
  /** Publish all exposed ports on ports that the kernel chooses. */
  PublishAllPorts: flag,
  /** `CONTAINER[:ALIAS]`, whose addresses go to /etc/hosts. */
  Links: strings,
  PidMode: string,
  IpcMode: string,
  UTSMode: string,
  UsernsMode: string,
  StorageOpt: map,
  CgroupnsMode: string,
  Memory: integer,
  MemoryReservation: integer,
  MemorySwap: integer,
  CpuShares: integer,
  CpuPeriod: integer,
  CpuQuota: integer,
  NanoCpus: integer,
  CpusetCpus: string,
  CpusetMems: string,
  PidsLimit: integer,
  BlkioWeight: integer,
  BlkioWeightDevice: list(WeightDevice),
  BlkioDeviceReadBps: list(ThrottleDevice),
  BlkioDeviceWriteBps: list(ThrottleDevice),
  BlkioDeviceReadIOps: list(ThrottleDevice),
  BlkioDeviceWriteIOps: list(ThrottleDevice),
  CgroupParent: string,
  DeviceCgroupRules: strings,
  OomKillDisable: flag,
  /** 0 to 100; null and −1 leave it to the kernel. */
  MemorySwappiness: z
    .int()
    .nullish()
    .transform((value) => value ?? null),
  OomScoreAdj: integer,
  Sysctls: map,
  GroupAdd: strings,
  CapAdd: strings,
  CapDrop: strings,
  Privileged: flag,
  SecurityOpt: strings,
  ReadonlyRootfs: flag,
  Init: flag,
  /** Null leaves it to the engine; an empty list hides nothing. */
  MaskedPaths: z
    .array(text)
    .nullish()
    .transform((value) => value ?? null),
  ReadonlyPaths: z
    .array(text)
    .nullish()
    .transform((value) => value ?? null),
  Devices: list(Device),
  Ulimits: list(Ulimit),
  ShmSize: integer,
  Dns: strings,
  DnsOptions: strings,
  DnsSearch: strings,
  ExtraHosts: strings,
  LogConfig: z
    .object({ Type: string, Config: map })
    .nullish()
    .transform((value) => value ?? { Type: '', Config: {} }),
  /** Height and width. */
  ConsoleSize: z
    .tuple([z.int().min(0).max(65_535), z.int().min(0).max(65_535)])
    .nullish()
    .transform((value) => value ?? ([0, 0] satisfies [number, number])),
  Annotations: map,
});
export type HostConfig = z.infer<typeof HostConfig>;
