/** A container's limits as the files of v2. Kernel documentation, admin-guide/cgroup-v2, "Controllers". */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BlockIo, Resources } from '../spec.ts';
import { readValue, writeValue } from './files.ts';

/** Set what `resources` names, in a new cgroup or in one that is in use. @throws Error that names the file and the value */
export function setLimits(directory: string, { memory, cpu, pids, blockIO }: Resources): void {
  // The specification's -1; any other negative number is the kernel's to refuse.
  const unlimited = (value: number) => (value === -1 ? 'max' : value);
  refuseWhatOnlyV1Has(memory);
  if (memory?.limit !== undefined) writeValue(directory, 'memory.max', unlimited(memory.limit));
  // The specification's number is memory and swap together, the kernel's is swap alone. Not every kernel counts swap.
  if (memory?.swap !== undefined && readValue(directory, 'memory.swap.max') !== null) {
    const swap = memory.swap === -1 ? 'max' : Math.max(0, memory.swap - Math.max(0, memory.limit ?? 0));
    writeValue(directory, 'memory.swap.max', swap);
  }
  if (memory?.reservation !== undefined) writeValue(directory, 'memory.low', unlimited(memory.reservation));
  if (cpu?.shares) writeValue(directory, 'cpu.weight', weightOfShares(cpu.shares));
  if (cpu?.quota !== undefined || cpu?.period !== undefined) {
    const quota = cpu.quota === undefined || cpu.quota <= 0 ? 'max' : cpu.quota;
    writeValue(directory, 'cpu.max', `${quota} ${cpu.period || 100_000}`);
  }
  if (cpu?.cpus) writeValue(directory, 'cpuset.cpus', cpu.cpus);
  if (cpu?.mems) writeValue(directory, 'cpuset.mems', cpu.mems);
  if (pids) writeValue(directory, 'pids.max', pids.limit > 0 ? pids.limit : 'max');
  if (blockIO) setBlockIo(directory, blockIO);
}

function refuseWhatOnlyV1Has(memory: Resources['memory']): void {
  const field =
    memory?.swappiness !== undefined ? 'memory.swappiness' : memory?.disableOOMKiller ? 'memory.disableOOMKiller' : '';
  if (field !== '') throw new Error(`Control groups v2 have no ${field}; start the container without it.`);
}

/** v1's 2…262144 laid linearly over v2's 1…10000. @param shares out of range is cut to it. */
export function weightOfShares(shares: number): number {
  const within = Math.min(Math.max(shares, 2), 262_144);
  return 1 + Math.floor(((within - 2) * 9_999) / 262_142);
}

/** v1's 10…1000 laid linearly over the 1…10000 of io.weight; BFQ's own file takes v1's numbers as they are. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9_999) / 990);
}

function setBlockIo(directory: string, io: BlockIo): void {
  const isBfq = existsSync(join(directory, 'io.bfq.weight'));
  const file = isBfq ? 'io.bfq.weight' : 'io.weight';
  const weight = (value: number) => (isBfq ? value : ioWeight(value));
  if (io.weight !== undefined) writeValue(directory, file, isBfq ? io.weight : `default ${weight(io.weight)}`);
  for (const device of io.weightDevice ?? [])
    writeValue(directory, file, `${device.major}:${device.minor} ${weight(device.weight)}`);
  for (const [key, devices] of [
    ['rbps', io.throttleReadBpsDevice],
    ['wbps', io.throttleWriteBpsDevice],
    ['riops', io.throttleReadIOPSDevice],
    ['wiops', io.throttleWriteIOPSDevice],
  ] as const)
    for (const { major, minor, rate } of devices ?? [])
      writeValue(directory, 'io.max', `${major}:${minor} ${key}=${rate}`);
}
