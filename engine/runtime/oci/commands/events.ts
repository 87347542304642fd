import type { Cgroup } from '../../cgroups/driver.ts';
import { hostCgroups } from '../../cgroups/host.ts';
import { argumentsOf, parseLine, textOf } from '../command-line.ts';
import { RuntimeError } from '../error.ts';
import { readRecord } from '../record.ts';
import type { Command } from '../settings.ts';
import { statusOf } from '../status.ts';

/** Milliseconds between two looks for a kill and for the container's end. */
const LOOK = 100;
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** What a container uses, every `--interval` and as a line of JSON each, and its out-of-memory kills, until it ends. */
export const command: Command = async (words, { root }) => {
  const line = parseLine({ interval: { value: true }, stats: { value: false } }, words);
  const [id] = argumentsOf(line, 'events', 1);
  const interval = milliseconds(textOf(line, 'interval') ?? '5s');
  const record = readRecord(root, id!);
  if (statusOf(root, record) === 'stopped') throw new RuntimeError(`container with id ${id} is not running`);
  const cgroup = hostCgroups().find(record.cgroupsPath);
  if (cgroup === null) throw new RuntimeError(`container with id ${id} has no cgroup`);
  tell({ type: 'stats', id, data: statsOf(cgroup) });
  if (line.flags.has('stats')) return 0;
  let kills = cgroup.outOfMemoryKills();
  let next = Date.now() + interval;
  while (statusOf(root, record) !== 'stopped' && hostCgroups().find(record.cgroupsPath) !== null) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(1, Math.min(LOOK, next - Date.now()))));
    // What was counted before a start anew of the group is not counted again.
    const now = cgroup.outOfMemoryKills();
    for (; kills < now; kills++) tell({ type: 'oom', id });
    if (Date.now() < next || statusOf(root, record) === 'stopped') continue;
    next = Date.now() + interval;
    tell({ type: 'stats', id, data: statsOf(cgroup) });
  }
  return 0;
};

function tell(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** As Go writes a duration: `1s`, `1m30s`, `100ms`. @throws RuntimeError unless it is more than 0 */
function milliseconds(text: string): number {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text))
    throw new RuntimeError(`invalid value ${JSON.stringify(text)} for flag --interval`);
  const total = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!,
    0,
  );
  if (total <= 0) throw new RuntimeError('duration interval must be greater than 0');
  return total;
}

/** In the form that callers of runc know. Nanoseconds, bytes, processes; a limit that is not set is left out. */
function statsOf(cgroup: Cgroup): object {
  const { cpu, memory, processes, io } = cgroup.usage();
  const limit = (value: number) => (Number.isFinite(value) ? { limit: value } : {});
  const ofDevices = (counts: NonNullable<typeof io>['bytes']) =>
    counts.map(({ major, minor, operation, value }) => ({ major, minor, op: operation, value }));
  return {
    cpu: {
      usage: { total: cpu.total, percpu: cpu.perCpu, kernel: cpu.system, user: cpu.user },
      throttling: {
        periods: cpu.periods,
        throttledPeriods: cpu.throttledPeriods,
        throttledTime: cpu.throttledTime,
      },
    },
    memory: {
      cache: memory.details.cache ?? memory.details.file,
      usage: { ...limit(memory.limit), usage: memory.usage, max: memory.peak ?? undefined, failcnt: memory.failures },
      raw: memory.details,
    },
    pids: { current: processes.current, ...limit(processes.limit) },
    blkio:
      io === null
        ? {}
        : { ioServiceBytesRecursive: ofDevices(io.bytes), ioServicedRecursive: ofDevices(io.operations) },
  };
}
