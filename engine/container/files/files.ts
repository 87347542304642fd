/** Files in and out of containers, whether they run or not. */

import type { Readable } from 'node:stream';
import type { Change } from '#contract/overlay';
import { changesOf } from '#overlay';
import { layerIn } from '../../runtime/layer-directory.ts';
import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import { inContainerTree, inUpper, layersOf, type Place } from './container-tree.ts';
import { listedLayer } from './listed-layer.ts';
import type { PathStat, WriteOptions } from './request.ts';
import { doWork, startWork } from './worker.ts';

/** What is at `path`. A symbolic link is not followed, unless a slash comes after it. @throws ContainerError */
export async function statInContainer(engine: Engine, container: Container, path: string): Promise<PathStat> {
  return await inContainerTree(engine, container, 'mounts', async (place) =>
    JSON.parse(await doWork({ ...place, request: { operation: 'stat', path, container: container.record.name } })),
  );
}

/** Hand `path`, with all that is below it, to `use` as a tar. @throws ContainerError, or what `use` throws */
export async function readFromContainer(
  engine: Engine,
  container: Container,
  path: string,
  use: (stat: PathStat, archive: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  await inContainerTree(engine, container, 'mounts', async (place) => {
    const { head, body } = await startWork({
      ...place,
      request: { operation: 'read', path, container: container.record.name },
    });
    await use(head as PathStat, body);
  });
}

/** Unpack an uncompressed tar into the directory `path`. @throws ContainerError; a part of it may be there then */
export async function writeIntoContainer(
  engine: Engine,
  container: Container,
  path: string,
  archive: Readable,
  options: WriteOptions,
): Promise<void> {
  await inContainerTree(engine, container, 'mounts', async (place) => {
    await doWork({
      ...place,
      request: { operation: 'write', path, container: container.record.name, options },
      input: archive,
    });
  });
}

/** Make a directory in the container's root, and what is missing on the way to it, whatever is mounted there. @throws ContainerError */
export async function makeInContainer(engine: Engine, container: Container, path: string): Promise<void> {
  await inContainerTree(engine, container, 'bare', (place) =>
    doWork({ ...place, request: { operation: 'make', path } }),
  );
}

/** All of the container's root, less what is mounted in it, as a tar. @throws ContainerError, or what `use` throws */
export async function exportContainer(
  engine: Engine,
  container: Container,
  use: (archive: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  await inContainerTree(engine, container, 'bare', (place) => archiveOf(place, 'export', use));
}

/** What the container has changed, as a layer. @throws ContainerError, or what `use` throws */
export async function layerOfContainer<T>(
  container: Container,
  use: (layer: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  return await inUpper(container, (place) => archiveOf(place, 'layer', use));
}

async function archiveOf<T>(
  place: Place,
  operation: 'export' | 'layer',
  use: (archive: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const { body } = await startWork({ ...place, request: { operation } });
  return await use(body);
}

/** What the container has changed, sorted by path. */
export async function changesInContainer(engine: Engine, container: Container): Promise<Change[]> {
  const lowers = await layersOf(engine, container);
  const listed = await inUpper(container, (place) => doWork({ ...place, request: { operation: 'list' } }));
  return changesOf(listedLayer(listed), lowers.map(layerIn));
}
