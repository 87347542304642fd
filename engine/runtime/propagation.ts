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

/** After the pivot. */
export function setRootPropagation(propagation: Linux['rootfsPropagation']): void {
  if (propagation === 'unbindable') kernel.mount({ target: '/', flags: kernel.MS_UNBINDABLE });
}
