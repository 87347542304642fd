/** What a cgroup of v2 counts. Kernel documentation, admin-guide/cgroup-v2, "Controllers". */

import type { CgroupUsage, IoCount } from './driver.ts';
import { readKey, readNumbers, readValue } from './files.ts';

export function usageOf(directory: string): CgroupUsage {
  const cpu = readNumbers(directory, 'cpu.stat');
  const microseconds = (key: string) => (cpu[key] ?? 0) * 1000;
  const most = (file: string) => {
    const value = readValue(directory, file) ?? 'max';
    return value === 'max' ? Number.POSITIVE_INFINITY : Number(value);
  };
  const io = readValue(directory, 'io.stat');
  return {
    version: 2,
    cpu: {
      total: microseconds('usage_usec'),
      user: microseconds('user_usec'),
      system: microseconds('system_usec'),
      perCpu: [],
      periods: cpu.nr_periods ?? 0,
      throttledPeriods: cpu.nr_throttled ?? 0,
      throttledTime: microseconds('throttled_usec'),
    },
    memory: {
      usage: Number(readValue(directory, 'memory.current') ?? 0),
      peak: null,
      failures: readKey(directory, 'memory.events', 'oom'),
      limit: most('memory.max'),
      details: readNumbers(directory, 'memory.stat'),
    },
    processes: { current: Number(readValue(directory, 'pids.current') ?? 0), limit: most('pids.max') },
    io: io === null ? null : { bytes: counts(io, 'bytes'), operations: counts(io, 'ios') },
  };
}

/** `254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`; a device that has done nothing may have no numbers. */
function counts(text: string, unit: 'bytes' | 'ios'): IoCount[] {
  return text.split('\n').flatMap((line) => {
    const [, major, minor, rest = ''] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    const values = new Map(rest.split(' ').map((pair) => pair.split('=') as [string, string]));
    return (['read', 'write'] as const).flatMap((operation) => {
      const value = values.get(`${operation[0]}${unit}`);
      return value === undefined
        ? []
        : [{ major: Number(major), minor: Number(minor), operation, value: Number(value) }];
    });
  });
}
