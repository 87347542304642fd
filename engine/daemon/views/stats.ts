import type { Container } from '../../container/container.ts';
import type { Snapshot } from '../../container/stats.ts';
import { NEVER } from '../../container/time.ts';
import type { IoCount } from '../../runtime/cgroups/driver.ts';

/**
 * Docker's ContainerStatsResponse. Clients work out percentages from two moments.
 * @param snapshot null for a container that does not run: all there is to say is its name
 * @param before the moment before; null for the first
 */
export function statsView({ record }: Container, snapshot: Snapshot | null, before: Snapshot | null) {
  return {
    name: `/${record.name}`,
    id: record.id,
    read: snapshot?.read ?? NEVER,
    preread: before?.read ?? NEVER,
    pids_stats: snapshot === null ? {} : pids(snapshot),
    blkio_stats: blkio(snapshot),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpu(snapshot),
    precpu_stats: cpu(before),
    memory_stats: snapshot === null ? {} : memory(snapshot),
    ...(snapshot !== null && Object.keys(snapshot.networks).length > 0 && { networks: snapshot.networks }),
  };
}

/** No limit is the greatest number of Go's uint64, which no double has: it is left out. */
function pids({ usage: { processes } }: Snapshot) {
  const { current, limit } = processes;
  return { current, ...(Number.isFinite(limit) && { limit }) };
}

function cpu(snapshot: Snapshot | null) {
  const { total, user, system, perCpu, periods, throttledPeriods, throttledTime } = snapshot?.usage.cpu ?? NOTHING;
  return {
    cpu_usage: {
      total_usage: total,
      ...(perCpu.length > 0 && { percpu_usage: perCpu }),
      usage_in_kernelmode: system,
      usage_in_usermode: user,
    },
    ...(snapshot && { system_cpu_usage: snapshot.hostCpuTime, online_cpus: snapshot.hostCpus }),
    throttling_data: { periods, throttled_periods: throttledPeriods, throttled_time: throttledTime },
  };
}

const NOTHING = { total: 0, user: 0, system: 0, perCpu: [], periods: 0, throttledPeriods: 0, throttledTime: 0 };

/** On version 2 Docker has neither peak nor failures. */
function memory({ usage: { version, memory }, memoryLimit }: Snapshot) {
  return {
    usage: memory.usage,
    ...(version === 1 && memory.peak !== null && { max_usage: memory.peak, failcnt: memory.failures }),
    stats: memory.details,
    limit: memoryLimit,
  };
}

function blkio(snapshot: Snapshot | null) {
  const io = snapshot?.usage.io;
  const entries = (counts: IoCount[] | undefined) =>
    counts?.map(({ major, minor, operation, value }) => ({ major, minor, op: operation, value })) ?? null;
  return {
    io_service_bytes_recursive: entries(io?.bytes) ?? [],
    io_serviced_recursive: snapshot?.usage.version === 1 ? entries(io?.operations) : null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}
