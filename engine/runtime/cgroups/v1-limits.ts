/** A container's limits in a cgroup of v1. Kernel documentation, admin-guide/cgroup-v1, memory, blkio-controller; scheduler/sched-bwc. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { settingsFor } from '#cgroups';
import type { Setting } from '#contract/cgroups';
import type { BlockIo, Resources, ThrottledDevice } from '../spec.ts';
import { readValue, writeValue } from './files.ts';
import { controllersOf, moreSettings } from './more-limits.ts';

/** Controller → its directory; controllers that are mounted together have the same one. */
export type Directories = Map<string, string>;

/** The controllers that have something to do only when it is asked of them. */
export function controllersOnDemand(resources: Resources): string[] {
  const { cpu, blockIO } = resources;
  return [...(cpu?.cpus || cpu?.mems ? ['cpuset'] : []), ...(blockIO ? ['blkio'] : []), ...controllersOf(1, resources)];
}

/** Set what `resources` names, in a new cgroup or in one that is in use. @throws Error that names the file and the value */
export function setLimits(made: Directories, resources: Resources): void {
  const { blockIO } = resources;
  for (const { controller, file, value } of [
    ...cpuInOrder(made, inOrder(made, settingsFor(1, resources))),
    ...moreSettings(1, resources),
  ]) {
    const directory = directoryOf(made, controller, file);
    writeValue(directory, file, value);
    if (file.startsWith('memory.kmem.')) refuseForgotten(directory, file, value);
  }
  if (blockIO) setBlockIo(directoryOf(made, 'blkio', 'blkio'), blockIO);
}

/** Since Linux 5.16 a limit on kernel memory alone is taken and not kept; the file then says the largest number there is. */
function refuseForgotten(directory: string, file: string, value: string): void {
  const kept = Number(readValue(directory, file));
  if (Number(value) >= 0 && kept > Number(value))
    throw new Error(`The kernel takes a value for ${file} and does not keep it; leave that limit out.`);
}

function directoryOf(made: Directories, controller: string, file: string): string {
  const directory = made.get(controller);
  if (directory === undefined)
    throw new Error(`This host has no ${controller} cgroup to limit a container with; start it without ${file}.`);
  return directory;
}

const SWAP = 'memory.memsw.limit_in_bytes';

const PERIOD = 'cpu.cfs_period_us';
const QUOTA = 'cpu.cfs_quota_us';

/**
 * Of period and quota the one is written first with which the share of CPUs does not rise in between: a group above may
 * allow no more than the present one, and the kernel refuses what would exceed it. Kernel documentation, scheduler/sched-bwc.
 */
function cpuInOrder(made: Directories, settings: Setting[]): Setting[] {
  const [period, quota] = [PERIOD, QUOTA].map((file) => settings.find((each) => each.file === file));
  if (period === undefined || quota === undefined) return settings;
  const before = Number(readValue(directoryOf(made, 'cpu', PERIOD), PERIOD));
  const isShorter = Number(period.value) < before;
  const others = settings.filter((each) => each !== period && each !== quota);
  return [...others, ...(isShorter ? [quota, period] : [period, quota])];
}

/** The sum of memory and swap can never be below memory: what is raised is raised there first. Not every kernel counts swap. */
function inOrder(made: Directories, settings: Setting[]): Setting[] {
  const swap = settings.find(({ file }) => file === SWAP);
  if (swap === undefined) return settings;
  const others = settings.filter((each) => each !== swap);
  const before = readValue(directoryOf(made, 'memory', SWAP), SWAP);
  if (before === null) return others;
  const isRaised = swap.value === '-1' || Number(swap.value) > Number(before);
  return isRaised ? [swap, ...others] : settings;
}

function setBlockIo(directory: string, io: BlockIo): void {
  const name = existsSync(join(directory, 'blkio.weight')) ? 'blkio.weight' : 'blkio.bfq.weight';
  if (io.weight !== undefined) writeValue(directory, name, io.weight);
  if (io.leafWeight !== undefined) writeValue(directory, 'blkio.leaf_weight', io.leafWeight);
  for (const { major, minor, weight, leafWeight } of io.weightDevice ?? []) {
    if (weight !== undefined) writeValue(directory, `${name}_device`, `${major}:${minor} ${weight}`);
    if (leafWeight !== undefined) writeValue(directory, 'blkio.leaf_weight_device', `${major}:${minor} ${leafWeight}`);
  }
  const throttle = (file: string, devices: ThrottledDevice[] = []) => {
    for (const { major, minor, rate } of devices)
      writeValue(directory, `blkio.throttle.${file}`, `${major}:${minor} ${rate}`);
  };
  throttle('read_bps_device', io.throttleReadBpsDevice);
  throttle('write_bps_device', io.throttleWriteBpsDevice);
  throttle('read_iops_device', io.throttleReadIOPSDevice);
  throttle('write_iops_device', io.throttleWriteIOPSDevice);
}
