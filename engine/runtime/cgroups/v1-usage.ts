/** What the cgroups of v1 count. Kernel documentation, admin-guide/cgroup-v1, cpuacct, memory, pids, blkio-controller. */

import type { CgroupUsage, IoCount } from './driver.ts';
import { readNumbers, readValue } from './files.ts';
import type { Directories } from './v1-limits.ts';

/** v1 writes "no limit" as the largest number of pages in bytes. */
export const NO_LIMIT = 2 ** 62;
/** Nanoseconds in a clock tick of cpuacct.stat: USER_HZ is 100 on every Linux that Node runs on. */
const TICK = 10_000_000;

export function usageOf(made: Directories): CgroupUsage {
  const text = (controller: string, file: string) => readValue(made.get(controller) ?? '/nowhere', file) ?? '';
  const number = (controller: string, file: string) => Number(text(controller, file) || 0);
  const ticks = readNumbers(made.get('cpuacct') ?? '/nowhere', 'cpuacct.stat');
  const throttling = readNumbers(made.get('cpu') ?? '/nowhere', 'cpu.stat');
  const limit = number('memory', 'memory.limit_in_bytes');
  const pids = text('pids', 'pids.max');
  const io = made.get('blkio');
  return {
    version: 1,
    cpu: {
      total: number('cpuacct', 'cpuacct.usage'),
      user: (ticks.user ?? 0) * TICK,
      system: (ticks.system ?? 0) * TICK,
      perCpu: text('cpuacct', 'cpuacct.usage_percpu').split(/\s+/).filter(Boolean).map(Number),
      periods: throttling.nr_periods ?? 0,
      throttledPeriods: throttling.nr_throttled ?? 0,
      throttledTime: throttling.throttled_time ?? 0,
    },
    memory: {
      usage: number('memory', 'memory.usage_in_bytes'),
      peak: number('memory', 'memory.max_usage_in_bytes'),
      failures: number('memory', 'memory.failcnt'),
      limit: limit > NO_LIMIT ? Number.POSITIVE_INFINITY : limit,
      details: readNumbers(made.get('memory') ?? '/nowhere', 'memory.stat'),
    },
    processes: {
      current: number('pids', 'pids.current'),
      limit: pids === 'max' || pids === '' ? Number.POSITIVE_INFINITY : Number(pids),
    },
    io:
      io === undefined
        ? null
        : { bytes: counts(io, 'io_service_bytes_recursive'), operations: counts(io, 'io_serviced_recursive') },
  };
}

/** BFQ counts what goes through it, the throttling layer counts everything, on kernels since 5.18 only where it throttles. */
function counts(directory: string, file: string): IoCount[] {
  const parse = (text: string | null): IoCount[] =>
    [...(text ?? '').matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, operation = '', value]) => ({
      major: Number(major),
      minor: Number(minor),
      operation,
      value: Number(value),
    }));
  const byBfq = parse(readValue(directory, `blkio.bfq.${file}`));
  return byBfq.length > 0 ? byBfq : parse(readValue(directory, `blkio.throttle.${file}`));
}
