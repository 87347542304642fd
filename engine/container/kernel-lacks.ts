import { type CgroupAbilities, hostAbilities } from '../runtime/cgroups/abilities.ts';
import { whyNoCgroups } from '../runtime/cgroups/host.ts';
import type { HostConfig } from './config.ts';

type Limits = Pick<
  HostConfig,
  | 'Memory'
  | 'MemorySwap'
  | 'MemorySwappiness'
  | 'OomKillDisable'
  | 'BlkioWeight'
  | 'BlkioWeightDevice'
  | 'BlkioDeviceReadBps'
  | 'BlkioDeviceWriteBps'
  | 'BlkioDeviceReadIOps'
  | 'BlkioDeviceWriteIOps'
>;

/**
 * Limits as they are kept: memory alone means as much swap again, and what this host cannot hold is left out with a
 * warning. A host without any control groups changes nothing here: it refuses what it cannot hold.
 */
export function adaptLimits(asked: HostConfig): { hostConfig: HostConfig; warnings: string[] } {
  if (whyNoCgroups() !== null) return { hostConfig: asked, warnings: [] };
  const MemorySwap = asked.Memory > 0 && asked.MemorySwap === 0 ? asked.Memory * 2 : asked.MemorySwap;
  return withoutLacking({ ...asked, MemorySwap }, hostAbilities());
}

/**
 * The limits without those that this kernel cannot hold, and Docker's warning for each that is left out. What is
 * refused instead, since the container would run without any limit, is not here.
 */
export function withoutLacking<H extends Partial<Limits>>(
  asked: H,
  host: CgroupAbilities,
): { hostConfig: H; warnings: string[] } {
  const hostConfig = { ...asked };
  const warnings: string[] = [];
  const drop = (field: keyof Limits, isThere: boolean, empty: unknown, warning: string) => {
    const value = hostConfig[field];
    const isAsked = Array.isArray(value) ? value.length > 0 : Boolean(value);
    if (isThere || !isAsked) return;
    Object.assign(hostConfig, { [field]: empty });
    warnings.push(warning);
  };
  const lack = (what: string, discarded: string) =>
    `Your kernel does not support ${what} or the cgroup is not mounted. ${discarded}`;

  if ((hostConfig.MemorySwap ?? 0) > 0)
    drop('MemorySwap', host.swap, -1, lack('swap limit capabilities', 'Memory limited without swap.'));
  if (hostConfig.MemorySwappiness === -1) hostConfig.MemorySwappiness = null;
  if (hostConfig.MemorySwappiness !== undefined && hostConfig.MemorySwappiness !== null && !host.swappiness) {
    hostConfig.MemorySwappiness = null;
    warnings.push(lack('memory swappiness capabilities', 'Memory swappiness discarded.'));
  }
  drop(
    'OomKillDisable',
    host.oomKillDisable,
    false,
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
  );
  if (hostConfig.OomKillDisable && hostConfig.Memory === 0)
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  drop('BlkioWeight', host.ioWeight, 0, lack('Block I/O weight', 'Weight discarded.'));
  drop('BlkioWeightDevice', host.ioWeight, [], lack('Block I/O weight_device', 'Weight-device discarded.'));
  for (const [field, unit, way] of [
    ['BlkioDeviceReadBps', 'BPS', 'read'],
    ['BlkioDeviceWriteBps', 'BPS', 'write'],
    ['BlkioDeviceReadIOps', 'IOPS', 'read'],
    ['BlkioDeviceWriteIOps', 'IOPS', 'write'],
  ] as const)
    drop(
      field,
      host.ioThrottle,
      [],
      lack(`${unit} Block I/O ${way} limit`, `Block I/O ${unit} ${way} limit discarded.`),
    );
  return { hostConfig, warnings };
}
