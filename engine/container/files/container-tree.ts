/** Where a container's files are: in its own mount namespace while it runs, else in a stack that is mounted for the purpose. */

import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { startTimeOf } from '#kernel/process-stat';
import { inUserNamespace } from '#kernel/user-namespace';
import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import { ContainerError } from '../errors.ts';
import { etcMounts } from '../etc-files.ts';
import { makeSources, specMounts } from '../mounts.ts';
import { remapOf, rootOf } from '../user-remap.ts';
import { type IdMaps, idMapsOf } from './id-maps.ts';
import type { Work } from './worker.ts';

/** From linux/fcntl.h. */
const O_PATH = 0o10000000;

export type Place = Pick<Work, 'tree' | 'descriptors'>;

/**
 * Let `use` work in the container's files. One that does not run is not started or removed meanwhile.
 * @param view `mounts`: with everything mounted in it, as its programs see it. `bare`: its root alone.
 */
export async function inContainerTree<T>(
  engine: Engine,
  container: Container,
  view: 'mounts' | 'bare',
  use: (place: Place) => Promise<T>,
): Promise<T> {
  const opened: number[] = [];
  try {
    const first = await container.lock.run(async (): Promise<{ running: Place } | { result: T }> => {
      const { status } = container.record;
      if (status === 'removing' || status === 'dead')
        throw new ContainerError('conflict', `container ${container.record.name} is being removed`);
      const running = container.running ? placeOfRunning(container, view, opened) : undefined;
      return running ? { running } : { result: await use(await placeOfStopped(engine, container, view)) };
    });
    return 'result' in first ? first.result : await use(first.running);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** The directory of the container's changes, as the root. */
export async function inUpper<T>(container: Container, use: (place: Place) => Promise<T>): Promise<T> {
  const fd = openSync(container.paths.upper, O_PATH | constants.O_DIRECTORY);
  try {
    return await use({ tree: { kind: 'open' }, descriptors: [fd] });
  } finally {
    closeSync(fd);
  }
}

/** @returns undefined when it has ended a moment ago. */
function placeOfRunning({ record }: Container, view: 'mounts' | 'bare', opened: number[]): Place | undefined {
  const { pid, startTime } = record;
  let ids: IdMaps | undefined;
  try {
    opened.push(openSync(`/proc/${pid}/root`, O_PATH | constants.O_DIRECTORY));
    if (view === 'bare') opened.push(openSync(`/proc/${pid}/ns/mnt`, constants.O_RDONLY));
    ids = inUserNamespace() ? undefined : idMapsOf(pid);
    // Another process of that number would have begun later.
    if (startTimeOf(pid) !== startTime) return undefined;
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  return { tree: { kind: view === 'bare' ? 'bare' : 'open', ...(ids && { ids }) }, descriptors: [...opened] };
}

async function placeOfStopped(engine: Engine, container: Container, view: 'mounts' | 'bare'): Promise<Place> {
  const { record, paths } = container;
  const lower = await layersOf(engine, container);
  if (view === 'mounts') makeSources(record.mounts, rootOf(remapOf(engine.remap, record.hostConfig)));
  const mounts =
    view === 'bare'
      ? []
      : [...etcMounts(record, paths), ...specMounts(record.mounts.filter(({ type }) => type !== 'tmpfs'))].filter(
          ({ source = '' }) => existsSync(source),
        );
  return {
    tree: {
      kind: 'stack',
      target: engine.root.merged,
      overlay: { lower, upper: paths.upper, work: paths.work },
      mounts,
      readonly: view === 'mounts' && record.hostConfig.ReadonlyRootfs,
    },
    descriptors: [],
  };
}

/** What is below a container's own changes, topmost first. */
export async function layersOf(engine: Engine, { record }: Container): Promise<string[]> {
  const image = await engine.images.find(record.image.id);
  return [...(await engine.images.prepare(image)), engine.root.places];
}
