/** A container's limits in a cgroup of v2. Kernel documentation, admin-guide/cgroup-v2, "Controllers". */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { settingsFor } from '#cgroups';
import type { BlockIo, Resources } from '../spec.ts';
import { readValue, writeValue } from './files.ts';
import { moreSettings } from './more-limits.ts';

/** Set what `resources` names, in a new cgroup or in one that is in use. @throws Error that names the file and the value */
export function setLimits(directory: string, resources: Resources): void {
  // Not every kernel counts swap. What is said in the tree's own words comes last, so it counts.
  for (const { file, value } of [...settingsFor(2, resources), ...moreSettings(2, resources)])
    if (file !== 'memory.swap.max' || readValue(directory, file) !== null) writeValue(directory, file, value);
  if (resources.blockIO) setBlockIo(directory, resources.blockIO);
}

/** v1's 10…1000 laid linearly over the 1…10000 of io.weight; BFQ's own file takes v1's numbers as they are. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9_999) / 990);
}

function setBlockIo(directory: string, io: BlockIo): void {
  if (io.leafWeight !== undefined || io.weightDevice?.some(({ leafWeight }) => leafWeight !== undefined))
    throw new Error('Control groups v2 have no blockIO.leafWeight; start the container without it.');
  const isBfq = existsSync(join(directory, 'io.bfq.weight'));
  const file = isBfq ? 'io.bfq.weight' : 'io.weight';
  const weight = (value: number) => (isBfq ? value : ioWeight(value));
  if (io.weight !== undefined) writeValue(directory, file, isBfq ? io.weight : `default ${weight(io.weight)}`);
  for (const device of io.weightDevice ?? [])
    if (device.weight !== undefined)
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
