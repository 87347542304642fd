import * as z from 'zod';
import type { Resources } from '../runtime/spec.ts';
import { HostConfig } from './config.ts';
import type { Container } from './container.ts';
import { hasEnded } from './ending.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';
import { adaptLimits } from './kernel-lacks.ts';
import { containerResources } from './resources.ts';
import { checkRestartPolicy, isSet } from './restart-policy.ts';

/** The limits that can be changed, and the restart policy. 0 and empty leave each as it is. */
export const UpdateRequest = HostConfig.pick({
  RestartPolicy: true,
  Memory: true,
  MemoryReservation: true,
  MemorySwap: true,
  NanoCpus: true,
  CpuPeriod: true,
  CpuQuota: true,
  CpuShares: true,
  CpusetCpus: true,
  CpusetMems: true,
  BlkioWeight: true,
}).extend({
  /** Null leaves it as it is; 0 and −1 take the limit away. */
  PidsLimit: z
    .int()
    .nullish()
    .transform((value) => value ?? null),
});
export type UpdateRequest = z.infer<typeof UpdateRequest>;

/**
 * Change the limits of a container: at once if it runs, for its next start otherwise. All of them, or none.
 * @returns Docker's warnings for what this kernel cannot hold.
 * @throws ContainerError `invalid` or `conflict` in Docker's words, `failed` when the kernel refuses a value
 */
export async function updateContainer(engine: Engine, container: Container, asked: UpdateRequest): Promise<string[]> {
  return await container.lock.run(async () => {
    const { record } = container;
    if (record.status === 'removing' || record.status === 'dead')
      throw cannot(container, 'conflict', 'container is marked for removal and cannot be "update"');
    const { PidsLimit: _, RestartPolicy: policy, ...limits } = asked;
    checkRestartPolicy({ RestartPolicy: policy, AutoRemove: false });
    if (record.hostConfig.AutoRemove && isSet(policy))
      throw cannot(
        container,
        'conflict',
        'Restart policy cannot be updated because AutoRemove is enabled for the container',
      );
    const alone = HostConfig.parse({ ...limits, MemorySwap: asked.Memory === 0 ? 0 : asked.MemorySwap });
    containerResources(alone);
    const conflict = conflictWith(record.hostConfig, asked);
    if (conflict !== null) throw cannot(container, 'conflict', conflict);
    const { hostConfig, warnings } = adaptLimits(merge(record.hostConfig, asked));
    const resources = containerResources(hostConfig);
    if (container.running) await apply(engine, container, withLifted(resources, hostConfig, record.hostConfig));
    record.hostConfig = hostConfig;
    await container.save();
    emitContainerEvent(engine, container, 'update');
    return warnings;
  });
}

/** The current limits, overlaid with the requested ones. */
function merge(before: HostConfig, { PidsLimit, RestartPolicy, ...asked }: UpdateRequest): HostConfig {
  const said = Object.entries(asked).filter(([, value]) => value !== 0 && value !== '');
  return {
    ...before,
    ...Object.fromEntries(said),
    ...(PidsLimit !== null && { PidsLimit: Math.max(0, PidsLimit) }),
    ...(RestartPolicy.Name !== '' && { RestartPolicy }),
  };
}

/** A limit that is taken away has to be said to the kernel, while a new container has none anyway. */
function withLifted(resources: Resources, after: HostConfig, before: HostConfig): Resources {
  return {
    ...resources,
    ...(before.PidsLimit > 0 && after.PidsLimit === 0 && { pids: { limit: -1 } }),
    ...(before.CpuQuota > 0 && after.CpuQuota < 0 && { cpu: { ...resources.cpu, quota: -1 } }),
  };
}

/** Two ways to say the same do not mix over time either. Docker, "docker container update". */
function conflictWith(before: HostConfig, asked: UpdateRequest): string | null {
  const set = 'has already been set';
  if (asked.NanoCpus > 0 && before.CpuPeriod > 0)
    return `Conflicting options: Nano CPUs cannot be updated as CPU Period ${set}`;
  if (asked.NanoCpus > 0 && before.CpuQuota > 0)
    return `Conflicting options: Nano CPUs cannot be updated as CPU Quota ${set}`;
  if (asked.CpuPeriod > 0 && before.NanoCpus > 0)
    return `Conflicting options: CPU Period cannot be updated as NanoCPUs ${set}`;
  if (asked.CpuQuota > 0 && before.NanoCpus > 0)
    return `Conflicting options: CPU Quota cannot be updated as NanoCPUs ${set}`;
  // −1 is not a limit, which every limit is below.
  if (asked.MemorySwap === 0 && before.MemorySwap >= 0 && asked.Memory > before.MemorySwap)
    return 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time';
  return null;
}

/** Set the limits of the running container. What was set before the kernel refused one is set back. */
async function apply(engine: Engine, container: Container, resources: Resources): Promise<void> {
  const set = (limits: Resources) => engine.shim.request('update', { container: container.id, resources: limits });
  try {
    await set(resources);
  } catch (error) {
    // Should the kernel refuse what it once took, what it refused first says more.
    // Its next start will have them.
    if (hasEnded(container)) return;
    await set(containerResources(container.record.hostConfig)).catch(() => {});
    throw cannot(container, 'failed', (error as Error).message, error);
  }
}

function cannot(container: Container, kind: 'conflict' | 'failed', why: string, cause?: unknown): ContainerError {
  return new ContainerError(kind, `Cannot update container ${container.id}: ${why}`, { cause });
}
