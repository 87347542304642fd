import type { Engine } from '../../container/engine.ts';
import { treeSize } from '../../container/tree-size.ts';
import { usersOfVolume, type Volume } from '../../container/volumes.ts';

/** Docker's Volume. */
export function volumeView({ name, createdAt, mountpoint, labels }: Volume) {
  return {
    CreatedAt: createdAt.replace(/\.\d+Z$/, 'Z'),
    Driver: 'local',
    Labels: labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: {},
    Scope: 'local',
  };
}

/** The same with what it takes on the disk. */
export function volumeUsageView(engine: Engine, volume: Volume) {
  return {
    ...volumeView(volume),
    UsageData: { RefCount: usersOfVolume(engine, volume.name).length, Size: treeSize(volume.mountpoint) },
  };
}
