import type { BlockIo, ThrottledDevice } from '../runtime/spec.ts';
import type { HostConfig, ThrottleDevice } from './config.ts';
import { blockDevice } from './devices.ts';
import { ContainerError } from './errors.ts';

const LEAST_WEIGHT = 10;
const MOST_WEIGHT = 1000;

/**
 * What config-linux.md, "Block IO", says of what the user asked; undefined for nothing.
 * @throws ContainerError `invalid` in Docker's words for a weight out of range or a path that is not a block device
 */
export function blockIo(host: HostConfig): BlockIo | undefined {
  if (host.BlkioWeight !== 0) checkWeight(host.BlkioWeight, 'blkio weight');
  const limits: BlockIo = {
    ...(host.BlkioWeight !== 0 && { weight: host.BlkioWeight }),
    ...(host.BlkioWeightDevice.length > 0 && {
      weightDevice: host.BlkioWeightDevice.map(({ Path, Weight }) => {
        checkWeight(Weight, 'blkio weight device');
        return { ...blockDevice(Path), weight: Weight };
      }),
    }),
    ...throttle('throttleReadBpsDevice', host.BlkioDeviceReadBps),
    ...throttle('throttleWriteBpsDevice', host.BlkioDeviceWriteBps),
    ...throttle('throttleReadIOPSDevice', host.BlkioDeviceReadIOps),
    ...throttle('throttleWriteIOPSDevice', host.BlkioDeviceWriteIOps),
  };
  return Object.keys(limits).length === 0 ? undefined : limits;
}

type Throttle = Exclude<keyof BlockIo, 'weight' | 'leafWeight' | 'weightDevice'>;

function throttle(name: Throttle, devices: ThrottleDevice[]): Partial<Record<Throttle, ThrottledDevice[]>> {
  if (devices.length === 0) return {};
  return { [name]: devices.map(({ Path, Rate }) => ({ ...blockDevice(Path), rate: Rate })) };
}

function checkWeight(weight: number, what: string): void {
  if (weight < LEAST_WEIGHT || weight > MOST_WEIGHT)
    throw new ContainerError('invalid', `Range of ${what} is from ${LEAST_WEIGHT} to ${MOST_WEIGHT}`);
}
