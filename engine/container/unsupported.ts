import { ContainerError } from './errors.ts';

/** Fields of HostConfig this engine does not act on, each with the docker flag that sets it. */
const HOST_FIELDS: Record<string, string> = {
  Cgroup: 'none',
  CpuCount: '--cpu-count',
  CpuPercent: '--cpu-percent',
  CpuRealtimePeriod: '--cpu-rt-period',
  CpuRealtimeRuntime: '--cpu-rt-runtime',
  DeviceRequests: '--gpus',
  IOMaximumBandwidth: '--io-maxbandwidth',
  IOMaximumIOps: '--io-maxiops',
  KernelMemory: '--kernel-memory',
  KernelMemoryTCP: 'none',
};

/** Fields of a mount's options, by the name of the options. */
const MOUNT_FIELDS: Record<string, string[]> = {
  BindOptions: ['ReadOnlyNonRecursive', 'ReadOnlyForceRecursive'],
  VolumeOptions: ['DriverConfig', 'Labels'],
  ImageOptions: ['Subpath'],
  TmpfsOptions: ['Options'],
};

/** Fields whose harmless values are not the empty ones. */
const HARMLESS: Record<string, { flag: string; values: unknown[] }> = {
  Isolation: { flag: '--isolation', values: ['default'] },
  Runtime: { flag: '--runtime', values: ['skiff'] },
  UsernsMode: { flag: '--userns', values: ['host'] },
  VolumeDriver: { flag: '--volume-driver', values: ['local'] },
};

/**
 * Refuse what would otherwise be left out in silence.
 * @param body the create request as it came in, before anything was dropped from it.
 * @throws ContainerError `unsupported` that names the field and the flag.
 */
export function refuseUnsupported(body: Record<string, unknown>): void {
  const host = asRecord(body.HostConfig);
  for (const [field, flag] of Object.entries(HOST_FIELDS)) if (isSet(host[field])) refuse(`HostConfig.${field}`, flag);
  for (const [field, { flag, values }] of Object.entries(HARMLESS))
    if (isSet(host[field]) && !values.includes(host[field])) refuse(`HostConfig.${field}`, flag);
  if (isSet(body.NetworkDisabled)) refuse('NetworkDisabled', 'none');
  refuseMountOptions(Array.isArray(host.Mounts) ? host.Mounts.map(asRecord) : []);
}

function refuseMountOptions(mounts: Record<string, unknown>[]): void {
  for (const mount of mounts)
    for (const [options, fields] of Object.entries(MOUNT_FIELDS))
      for (const field of fields)
        if (isSet(asRecord(mount[options])[field])) refuse(`HostConfig.Mounts.${options}.${field}`, '--mount');
}

/**
 * The same for an update, which takes the limits, the restart policy and nothing else.
 * @param body as it came in; `known` the fields there are.
 */
export function refuseUnsupportedUpdate(body: Record<string, unknown>, known: string[]): void {
  for (const [field, value] of Object.entries(body))
    if (!known.includes(field) && isSet(value)) refuse(field, HOST_FIELDS[field] ?? 'none');
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Whether a Go client means anything by `value`: its zero values are how fields are left alone. */
function isSet(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === 0 || value === false) return false;
  if (typeof value === 'object') return Object.keys(value).length > 0;
  return true;
}

function refuse(field: string, flag: string): never {
  const way = flag === 'none' ? `Leave it out` : `Leave ${flag} out`;
  throw new ContainerError('unsupported', `This engine does not have ${field}. ${way}, or use another engine for it.`);
}
