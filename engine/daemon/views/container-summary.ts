import type { Container } from '../../container/container.ts';
import type { Engine } from '../../container/engine.ts';
import { treeSize } from '../../container/tree-size.ts';
import { describeStatus } from './container-status.ts';
import { mountPoint } from './mount-point.ts';
import { networks, portSummaries } from './network-settings.ts';

export interface SizeOption {
  /** Whether to measure the files of the container, which takes time. */
  size: boolean;
}

/** Docker's ContainerSummary: a row of `docker ps`. */
export async function containerSummary(engine: Engine, container: Container, { size }: SizeOption) {
  const { record, paths } = container;
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.image.reference,
    ImageID: record.image.id,
    Command: record.args.map((arg, index) => (index > 0 && /\s/.test(arg) ? `'${arg}'` : arg)).join(' '),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: portSummaries(record, container.running),
    Labels: record.config.Labels,
    State: record.status,
    Status: describeStatus(record),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode },
    NetworkSettings: { Networks: networks(engine, record) },
    Mounts: record.mounts.filter(({ type }) => type !== 'tmpfs').map(mountPoint),
    ...(size && (await containerSize(engine, record.image.id, paths.upper))),
  };
}

/** What the container changed, and that together with its image, in bytes. */
export async function containerSize(engine: Engine, image: string, upper: string) {
  const changed = treeSize(upper);
  const found = await engine.images.find(image).catch(() => null);
  return { SizeRw: changed, SizeRootFs: changed + (found?.size ?? 0) };
}
