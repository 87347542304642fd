/** What becomes of mount events between the host and a container. mount_namespaces(7), config-linux.md "Rootfs Mount Propagation". */

import * as kernel from '#kernel/mounts';
import { isolateMounts } from '#rootfs';
import type { Linux } from './spec.ts';

/** As `isolateMounts` has it; with `slave` what is mounted on the host later shows up in the container's binds too. */
export function isolateMountsAs(rootfs: string, propagation: Linux['rootfsPropagation']): void {
  if (propagation !== 'slave') {
    isolateMounts(rootfs);
    return;
  }
  // A slave is not shared, so pivot_root takes it, and nothing that is unmounted here is unmounted on the host.
  kernel.mount({ target: '/', flags: kernel.MS_REC | kernel.MS_SLAVE });
  kernel.mount({ source: rootfs, target: rootfs, flags: kernel.MS_BIND | kernel.MS_REC });
}

/**
 * After the pivot. A shared root is shared among those that the container makes mount namespaces for: its peer group is a
 * new one, the host's mounts are not in it.
 */
export function setRootPropagation(propagation: Linux['rootfsPropagation']): void {
  const kinds = {
    shared: kernel.MS_SHARED,
    rshared: kernel.MS_SHARED | kernel.MS_REC,
    unbindable: kernel.MS_UNBINDABLE,
    private: 0,
    slave: 0,
  };
  const flags = kinds[propagation ?? 'private'];
  if (flags !== 0) kernel.mount({ target: '/', flags });
}
