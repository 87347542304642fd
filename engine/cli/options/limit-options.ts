/** What a container may use at most, as options. */

import { parsed, wholeNumber } from '../command.ts';
import { UsageError } from '../errors.ts';
import { parseBytes } from '../format/size.ts';
import { type ContainerOption, flag, host, hostBytes, hostList, hostNumber, many, one } from './container-option.ts';
import type { HostConfig } from './create-body.ts';

function cpus(text: string): number | undefined {
  return /^\d*\.?\d+$|^\d+\.$/.test(text) ? Math.round(Number(text) * 1e9) : undefined;
}

function restartPolicy(text: string): NonNullable<HostConfig['RestartPolicy']> {
  const [Name = '', count] = text.split(':');
  if (count !== undefined && wholeNumber(count) === undefined) {
    throw new UsageError(`invalid argument "${text}" for "--restart" flag: the maximum retry count must be a number`);
  }
  return { Name, MaximumRetryCount: Number(count ?? 0) };
}

/** Those that `update` has as well. */
export const UPDATABLE: ContainerOption[] = [
  hostNumber(
    '--blkio-weight <weight>',
    'Block IO (relative weight), between 10 and 1000, or 0 to disable',
    'BlkioWeight',
  ),
  hostNumber('--cpu-period <microseconds>', 'Limit CPU CFS period', 'CpuPeriod'),
  hostNumber('--cpu-quota <microseconds>', 'Limit CPU CFS quota', 'CpuQuota'),
  hostNumber('-c, --cpu-shares <weight>', 'CPU shares (relative weight)', 'CpuShares'),
  one('--cpus <number>', 'Number of CPUs', parsed('--cpus', 'a number like 1.5', cpus), (body, value) => {
    body.HostConfig.NanoCpus = value;
  }),
  host('--cpuset-cpus <list>', 'CPUs in which to allow execution (0-3, 0,1)', 'CpusetCpus'),
  host('--cpuset-mems <list>', 'Memory nodes in which to allow execution (0-3, 0,1)', 'CpusetMems'),
  hostBytes('-m, --memory <bytes>', 'Memory limit', 'Memory'),
  hostBytes('--memory-reservation <bytes>', 'Memory soft limit', 'MemoryReservation'),
  hostBytes(
    '--memory-swap <bytes>',
    "Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
    'MemorySwap',
  ),
  hostNumber('--pids-limit <number>', 'Tune container pids limit (set -1 for unlimited)', 'PidsLimit'),
  one('--restart <policy>', 'Restart policy to apply when a container exits', restartPolicy, (body, value) => {
    body.HostConfig.RestartPolicy = value;
  }),
];

/** `PATH:VALUE`. @throws UsageError in docker's words */
function onDevice(flag: string, text: string, correct: string, read: (value: string) => number | undefined) {
  const at = text.lastIndexOf(':');
  const Path = text.slice(0, Math.max(at, 0));
  const wrong = (why: string): never => {
    throw new UsageError(`invalid argument "${text}" for "${flag}" flag: ${why}`);
  };
  if (at === -1) wrong(`bad format: ${text}`);
  if (!Path.startsWith('/dev/')) wrong(`bad format for device path: ${text}`);
  const value = read(text.slice(at + 1));
  return { Path, value: value ?? wrong(`invalid ${correct}`) };
}

function throttle(flags: string, text: string, field: string, read: (value: string) => number | undefined) {
  return many(`${flags} <device:rate>`, text, (body, values) => {
    body.HostConfig[field] = values.map((each) => {
      const { Path, value } = onDevice(flags, each, `rate for device: ${each}`, read);
      return { Path, Rate: value };
    });
  });
}

/** Those that stay as they were at the start. */
export const LIMITS: ContainerOption[] = [
  many('--blkio-weight-device <device:weight>', 'Block IO weight (relative device weight)', (body, values) => {
    body.HostConfig.BlkioWeightDevice = values.map((each) => {
      const { Path, value } = onDevice('--blkio-weight-device', each, `weight for device: ${each}`, wholeNumber);
      return { Path, Weight: value };
    });
  }),
  host('--cgroup-parent <path>', 'Parent cgroup for the container', 'CgroupParent'),
  hostList('--device-cgroup-rule <rule>', 'Add a rule to the cgroup allowed devices list', 'DeviceCgroupRules'),
  throttle('--device-read-bps', 'Limit read rate (bytes per second) from a device', 'BlkioDeviceReadBps', parseBytes),
  throttle('--device-read-iops', 'Limit read rate (IO per second) from a device', 'BlkioDeviceReadIOps', wholeNumber),
  throttle('--device-write-bps', 'Limit write rate (bytes per second) to a device', 'BlkioDeviceWriteBps', parseBytes),
  throttle('--device-write-iops', 'Limit write rate (IO per second) to a device', 'BlkioDeviceWriteIOps', wholeNumber),
  hostNumber('--memory-swappiness <number>', 'Tune container memory swappiness (0 to 100)', 'MemorySwappiness'),
  flag('--oom-kill-disable', 'Disable OOM Killer', (body) => {
    body.HostConfig.OomKillDisable = true;
  }),
];
