import type { ContainerMount } from '../../container/mounts.ts';

/** Docker's MountPoint. */
export function mountPoint({ type, name, source, destination, mode, readonly, propagation }: ContainerMount) {
  return {
    Type: type,
    ...(type === 'volume' && { Name: name, Driver: 'local' }),
    Source: source,
    Destination: destination,
    Mode: mode,
    RW: !readonly,
    Propagation: type === 'bind' ? (propagation ?? 'rprivate') : '',
  };
}
