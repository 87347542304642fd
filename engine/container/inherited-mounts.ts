/** `--volumes-from`: the mounts of other containers. Docker's documentation, "docker container run", "Mount volumes from container". */

import type { Engine } from './engine.ts';
import { ContainerError } from './errors.ts';
import type { ContainerMount } from './mounts.ts';

/**
 * @param volumesFrom names or ids, each with `:ro` or `:rw` behind it, or nothing, which leaves each mount as it is there.
 * @throws ContainerError `not-found`, `invalid`
 */
export function inheritedMounts(engine: Engine, volumesFrom: string[]): ContainerMount[] {
  return volumesFrom.flatMap((text) => {
    const [, name = '', mode = ''] = /^([^:]+)(?::(.*))?$/.exec(text) ?? [];
    const options = mode.split(',').filter(Boolean);
    const unknown = options.find((option) => !['ro', 'rw', 'z', 'Z'].includes(option));
    if (name === '' || unknown !== undefined)
      throw new ContainerError(
        'invalid',
        `invalid volumes-from specification: '${text.slice(0, 200)}'. It is CONTAINER[:ro|:rw].`,
      );
    return containerOf(engine, name)
      .record.mounts.filter(({ type }) => type !== 'tmpfs')
      .map((mount) => ({
        ...mount,
        readonly: options.includes('ro') || (mount.readonly && !options.includes('rw')),
        // It belongs to the container that it was made for, and goes with that one.
        anonymous: false,
        copy: false,
      }));
  });
}

/** Docker answers 404 here, after which its command goes looking for the image. */
function containerOf(engine: Engine, name: string) {
  try {
    return engine.containers.find(name);
  } catch (error) {
    throw new ContainerError('invalid', (error as Error).message);
  }
}
