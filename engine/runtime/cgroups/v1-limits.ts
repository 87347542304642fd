/** A container's limits as the files of v1. Kernel documentation, admin-guide/cgroup-v1, memory, blkio-controller; scheduler/sched-bwc. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BlockIo, Resources, ThrottledDevice } from '../spec.ts';
import { readValue, writeValue } from './files.ts';

/** Controller → its directory; controllers that are mounted together have the same one. */
export type Directories = Map<string, string>;

/** The controllers that have something to do only when it is asked of them. */
export function controllersOnDemand({ cpu, blockIO }: Resources): string[] {
  return [...(cpu?.cpus || cpu?.mems ? ['cpuset'] : []), ...(blockIO ? ['blkio'] : [])];
}

/** Set what `resources` names, in a new cgroup or in one that is in use. @throws Error that names the file and the value */
export function setLimits(made: Directories, { memory, cpu, pids, blockIO }: Resources): void {
  const set = (controller: string, file: string, value: string | number | undefined) => {
    if (value !== undefined) writeValue(directoryOf(made, controller, file), file, value);
  };
  if (memory?.limit !== undefined || memory?.swap !== undefined) setMemory(made, memory);
  set('memory', 'memory.soft_limit_in_bytes', memory?.reservation);
  set('memory', 'memory.swappiness', memory?.swappiness);
  set('memory', 'memory.oom_control', memory?.disableOOMKiller ? 1 : undefined);
  set('cpu', 'cpu.shares', cpu?.shares);
  set('cpu', 'cpu.cfs_period_us', cpu?.period);
  set('cpu', 'cpu.cfs_quota_us', cpu?.quota);
  set('cpuset', 'cpuset.cpus', cpu?.cpus || undefined);
  set('cpuset', 'cpuset.mems', cpu?.mems || undefined);
  set('pids', 'pids.max', pids && (pids.limit > 0 ? pids.limit : 'max'));
  if (blockIO) setBlockIo(directoryOf(made, 'blkio', 'blkio'), blockIO);
}

function directoryOf(made: Directories, controller: string, file: string): string {
  const directory = made.get(controller);
  if (directory === undefined)
    throw new Error(`This host has no ${controller} cgroup to limit a container with; start it without ${file}.`);
  return directory;
}

/** The sum of memory and swap can never be below memory: what is raised is raised there first. Not every kernel counts swap. */
function setMemory(made: Directories, { limit, swap }: NonNullable<Resources['memory']>): void {
  const directory = directoryOf(made, 'memory', 'memory.limit_in_bytes');
  const setLimit = () => {
    if (limit !== undefined) writeValue(directory, 'memory.limit_in_bytes', limit);
  };
  const before = readValue(directory, 'memory.memsw.limit_in_bytes');
  if (swap === undefined || before === null) {
    setLimit();
    return;
  }
  const isRaised = swap === -1 || swap > Number(before);
  if (!isRaised) setLimit();
  writeValue(directory, 'memory.memsw.limit_in_bytes', swap);
  if (isRaised) setLimit();
}

function setBlockIo(directory: string, io: BlockIo): void {
  const name = existsSync(join(directory, 'blkio.weight')) ? 'blkio.weight' : 'blkio.bfq.weight';
  if (io.weight !== undefined) writeValue(directory, name, io.weight);
  for (const { major, minor, weight } of io.weightDevice ?? [])
    writeValue(directory, `${name}_device`, `${major}:${minor} ${weight}`);
  const throttle = (file: string, devices: ThrottledDevice[] = []) => {
    for (const { major, minor, rate } of devices)
      writeValue(directory, `blkio.throttle.${file}`, `${major}:${minor} ${rate}`);
  };
  throttle('read_bps_device', io.throttleReadBpsDevice);
  throttle('write_bps_device', io.throttleWriteBpsDevice);
  throttle('read_iops_device', io.throttleReadIOPSDevice);
  throttle('write_iops_device', io.throttleWriteIOPSDevice);
}
