import { ContainerError } from './errors.ts';
import type { ContainerRecord } from './record.ts';
import type { StateRoot } from './root.ts';

/** Below it each engine keeps cgroups of its own, which it sweeps. */
const ENGINES = 'skiff';

/** Where the container's cgroup is, from the root of each hierarchy on: below the engine's own or the parent it asked for. */
export function cgroupOf(root: StateRoot, { id, hostConfig }: Pick<ContainerRecord, 'id' | 'hostConfig'>): string {
  const parent = hostConfig.CgroupParent;
  return parent === '' ? `${root.cgroups}/${id}` : ['', ...namesIn(parent), id].join('/');
}

/** @throws ContainerError `invalid` for a parent that leads out of the tree, or into what an engine sweeps. */
export function checkCgroupParent(parent: string): void {
  const names = namesIn(parent);
  if (parent.length > 1024 || names.some((name) => name === '.' || name === '..' || name.length > 255))
    throw new ContainerError(
      'invalid',
      `invalid cgroup parent "${parent.slice(0, 60)}": it is a path such as /team/web, from the root of the hierarchy on.`,
    );
  if (names[0] === ENGINES)
    throw new ContainerError(
      'invalid',
      `invalid cgroup parent "${parent.slice(0, 60)}": what is below /${ENGINES} belongs to engines. Choose another.`,
    );
}

function namesIn(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}
