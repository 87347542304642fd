import fs from 'node:fs';
import os from 'node:os';
import type { Resources } from '../runtime/spec.ts';
import { blockIo } from './block-io.ts';
import type { HostConfig } from './config.ts';
import { ContainerError } from './errors.ts';

const CPUS = os.cpus().length;
const MEBIBYTE = 1024 * 1024;
const LEAST_MEMORY = 6 * MEBIBYTE;
/** What the scheduler takes: outside of it the kernel silently uses the nearest. Kernel source, kernel/sched/sched.h. */
const LEAST_SHARES = 2;
const MOST_SHARES = 262_144;
/** Microseconds: what `--cpus` is counted in. */
const PERIOD = 100_000;

/** Lists such as `0-3`; null where the host does not say. */
interface Present {
  cpus: string | null;
  mems: string | null;
}

function presentHere(): Present {
  return { cpus: listIn('/sys/devices/system/cpu/online'), mems: listIn('/sys/devices/system/node/online') };
}

function listIn(file: string): string | null {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}

/** `0-2,5` as ranges; null for what is no such list. cpuset(7), "List format". */
function parseList(text: string): [first: number, last: number][] | null {
  if (!/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(text)) return null;
  const ranges = text.split(',').map((range) => range.split('-').map(Number));
  const both = ranges.map(([first = 0, last = first]): [number, number] => [first, last]);
  return both.some(([first, last]) => last < first) ? null : both;
}

function holds(list: string, first: number, last: number): boolean {
  const ranges = parseList(list) ?? [];
  for (let each = first; each <= last; each++)
    if (!ranges.some(([from, to]) => each >= from && each <= to)) return false;
  return true;
}

/**
 * The limits of config-linux.md, "Control groups", for what the user asked.
 * @throws ContainerError `invalid` in Docker's words where values are out of range or contradict each other.
 */
export function containerResources(
  host: HostConfig,
  cpuCount: number = CPUS,
  present: Present = host.CpusetCpus || host.CpusetMems ? presentHere() : { cpus: null, mems: null },
): Resources {
  const resources: Resources = {};
  const { Memory, MemoryReservation, MemorySwap, NanoCpus, CpuPeriod, CpuQuota, CpuShares, PidsLimit } = host;
  const refuse = (message: string): never => {
    throw new ContainerError('invalid', message);
  };

  if (Memory < 0 || MemoryReservation < 0) refuse('Memory limits must not be negative.');
  if (Memory > 0 && Memory < LEAST_MEMORY) refuse('Minimum memory limit allowed is 6MB');
  if (MemoryReservation > 0 && MemoryReservation < LEAST_MEMORY) refuse('Minimum memory reservation allowed is 6MB');
  if (Memory > 0 && MemoryReservation > Memory)
    refuse('Minimum memory limit can not be less than memory reservation limit, see usage');
  if (MemorySwap < -1) refuse('MemorySwap is -1 for no limit, or a number of bytes.');
  const { MemorySwappiness: swappiness } = host;
  if (swappiness !== null && swappiness !== -1 && (swappiness < 0 || swappiness > 100))
    refuse(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  if (MemorySwap > 0 && Memory === 0)
    refuse('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (MemorySwap > 0 && MemorySwap < Memory)
    refuse('Minimum memoryswap limit should be larger than memory limit, see usage');
  const memory: NonNullable<Resources['memory']> = {
    ...(Memory > 0 && { limit: Memory, swap: MemorySwap === 0 ? Memory * 2 : MemorySwap }),
    ...(MemoryReservation > 0 && { reservation: MemoryReservation }),
    ...(swappiness !== null && swappiness !== -1 && { swappiness }),
    ...(host.OomKillDisable && { disableOOMKiller: true }),
  };
  if (Object.keys(memory).length > 0) resources.memory = memory;

  if (NanoCpus > 0 && CpuPeriod > 0) refuse('Conflicting options: Nano CPUs and CPU Period cannot both be set.');
  if (NanoCpus > 0 && CpuQuota > 0) refuse('Conflicting options: Nano CPUs and CPU Quota cannot both be set.');
  if (NanoCpus < 0 || NanoCpus > cpuCount * 1e9 || (NanoCpus > 0 && NanoCpus < 1e7))
    refuse(`Range of CPUs is from 0.01 to ${cpuCount}.00, as there are only ${cpuCount} CPUs available`);
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000))
    refuse('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (CpuQuota > 0 && CpuQuota < 1000) refuse('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (CpuShares < 0) refuse('CPU shares must not be negative.');
  if (CpuShares > 0 && CpuShares < LEAST_SHARES) refuse(`The minimum allowed cpu-shares is ${LEAST_SHARES}`);
  if (CpuShares > MOST_SHARES) refuse(`The maximum allowed cpu-shares is ${MOST_SHARES}`);
  for (const [name, value, things, available] of [
    ['CpusetCpus', host.CpusetCpus, 'CPUs', present.cpus],
    ['CpusetMems', host.CpusetMems, 'memory nodes', present.mems],
  ] as const) {
    if (value === '') continue;
    const wanted = parseList(value);
    if (wanted === null) refuse(`Invalid value ${value.slice(0, 60)} for ${name}. It is a list such as 0-2,5.`);
    else if (available !== null && wanted.some(([first, last]) => !holds(available, first, last)))
      refuse(`Requested ${things} are not available - requested ${value.slice(0, 60)}, available: ${available}`);
  }
  const cpu: NonNullable<Resources['cpu']> = {
    ...(CpuShares > 0 && { shares: CpuShares }),
    ...(NanoCpus > 0 && { quota: Math.round((NanoCpus * PERIOD) / 1e9), period: PERIOD }),
    ...(CpuQuota > 0 && { quota: CpuQuota }),
    ...(CpuPeriod > 0 && { period: CpuPeriod }),
    ...(host.CpusetCpus !== '' && { cpus: host.CpusetCpus }),
    ...(host.CpusetMems !== '' && { mems: host.CpusetMems }),
  };
  if (Object.keys(cpu).length > 0) resources.cpu = cpu;

  if (PidsLimit > 0) resources.pids = { limit: PidsLimit };
  const io = blockIo(host);
  if (io) resources.blockIO = io;
  return resources;
}
