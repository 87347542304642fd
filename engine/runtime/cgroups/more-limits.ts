/**
 * The limits that only a config.json asks for, as what is to be written where: config-linux.md, "Memory", "CPU", "Huge
 * page limits", "Network", "RDMA" and "Unified". The usual ones are the plank's of lab `cgroups`.
 */

import type { CgroupVersion, Setting } from '#contract/cgroups';
import type { Resources } from '../spec.ts';

type Row = [field: string, controller: string, file: string | null, value: string | number | undefined];

/** @throws Error that names a field which these control groups do not have. */
export function moreSettings(version: CgroupVersion, resources: Resources): Setting[] {
  return rows(version, resources).flatMap(([field, controller, file, value]) => {
    if (value === undefined) return [];
    if (file === null)
      throw new Error(
        `invalid configuration: control groups v${version} have no ${field}; start the container without it.`,
      );
    return [{ controller, file, value: String(value) }];
  });
}

function rows(version: CgroupVersion, { memory, cpu, hugepageLimits, network, rdma, unified }: Resources): Row[] {
  const on = (v1: string | null, v2: string | null = null) => (version === 1 ? v1 : v2);
  const isTrue = (value: boolean | undefined) => (value ? 1 : undefined);
  return [
    ['memory.swappiness', 'memory', on('memory.swappiness'), memory?.swappiness],
    ['memory.disableOOMKiller', 'memory', on('memory.oom_control'), isTrue(memory?.disableOOMKiller)],
    ['memory.kernel', 'memory', on('memory.kmem.limit_in_bytes'), memory?.kernel],
    ['memory.kernelTCP', 'memory', on('memory.kmem.tcp.limit_in_bytes'), memory?.kernelTCP],
    // v2 knows nothing else.
    ...(version === 1
      ? [['memory.useHierarchy', 'memory', 'memory.use_hierarchy', isTrue(memory?.useHierarchy)] satisfies Row]
      : []),
    ['cpu.burst', 'cpu', on('cpu.cfs_burst_us', 'cpu.max.burst'), cpu?.burst],
    ['cpu.realtimePeriod', 'cpu', on('cpu.rt_period_us'), cpu?.realtimePeriod],
    ['cpu.realtimeRuntime', 'cpu', on('cpu.rt_runtime_us'), cpu?.realtimeRuntime],
    ['cpu.idle', 'cpu', on('cpu.idle', 'cpu.idle'), cpu?.idle],
    ...(hugepageLimits ?? []).map(({ pageSize, limit }): Row => {
      const file = `hugetlb.${pageSize}`;
      return ['hugepageLimits', 'hugetlb', on(`${file}.limit_in_bytes`, `${file}.max`), limit];
    }),
    ['network.classID', 'net_cls', on('net_cls.classid'), network?.classID],
    ...(network?.priorities ?? []).map(
      ({ name, priority }): Row => ['network.priorities', 'net_prio', on('net_prio.ifpriomap'), `${name} ${priority}`],
    ),
    ...Object.entries(rdma ?? {}).map(([device, { hcaHandles, hcaObjects }]): Row => {
      const limits = [
        ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
        ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
      ];
      return ['rdma', 'rdma', 'rdma.max', [device, ...limits].join(' ')];
    }),
    ...Object.entries(unified ?? {}).map(
      ([file, value]): Row => ['unified', file.split('.', 1)[0]!, on(null, file), value],
    ),
  ];
}

/** What takes part in a start only when it is asked for. */
export function controllersOf(version: CgroupVersion, resources: Resources): string[] {
  return [...new Set(moreSettings(version, resources).map(({ controller }) => controller))];
}

/** @throws Error if `checkBeforeUpdate` is asked for and more is in use than the new limit allows. */
export function checkUsage({ memory }: Resources, usage: number): void {
  const limit = memory?.limit;
  if (memory?.checkBeforeUpdate && limit !== undefined && limit >= 0 && usage > limit)
    throw new Error(
      `memory.limit: ${limit} bytes are less than the ${usage} that are in use; use a larger limit, or leave checkBeforeUpdate out.`,
    );
}
