import fs from 'node:fs';
import path from 'node:path';
import { defaultRootDirectory } from '../../../engine/container/root.ts';
import { unfitForUpper } from '../../../engine/runtime/unfit-file-systems.ts';
import type { Finding } from './finding.ts';

/** Whether containers can write where the engine keeps them: in a container, a devcontainer say, the disk often is an overlay. */
export function probeDisk(): Finding {
  const root = defaultRootDirectory();
  const place = nearest(root);
  const unfit = unfitForUpper(place);
  const finding = { id: 'disk', title: 'a disk for containers to write on' };
  if (unfit === undefined) return { ...finding, status: 'ok', detail: root };
  return {
    ...finding,
    status: 'missing',
    detail: `${place} is on ${unfit}`,
    fix: 'export SKIFF_ROOT=DIRECTORY on ext4, xfs, btrfs or tmpfs, e.g. a volume, or /dev/shm/skiff, which a restart empties',
  };
}

/** The directory itself, or what is above it and there. */
function nearest(directory: string): string {
  return fs.existsSync(directory) ? directory : nearest(path.dirname(directory));
}
