import type { Engine } from '../../container/engine.ts';
import { displayName } from '../../image/reference.ts';
import type { ImageUser } from '../../image/removal.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { flagOf, IMAGE_FILTERS, imageTests, isDangling, withNamesOf } from '../image-filters.ts';
import { tagReference } from '../tag-reference.ts';
import { imageHistory, imageInspect, imageSummary, sharedSizes, virtualSize } from '../views/image.ts';
import { saveImage } from './archives.ts';
import { importRoute } from './commit.ts';
import { pullRoute } from './pull.ts';
import { pushRoute } from './push.ts';

/** `GET /images/json` */
export async function listImages(call: Call): Promise<void> {
  const { engine, query } = call;
  const filters = query.filters(IMAGE_FILTERS.filter((name) => name !== 'label!'));
  const tests = await imageTests(engine, filters);
  const all = await engine.images.list();
  const shared = query.flag('shared-size') ? sharedSizes(all) : undefined;
  const images = all.filter((image) => tests.every((test) => test(image)));
  call.send(
    200,
    images.map((image) => ({
      ...imageSummary(engine, withNamesOf(image, filters.get('reference')), shared),
      ...virtualSize(call, image),
    })),
  );
}

/** `GET /images/{name}/json`, `/history` and `/get`; the name may have slashes. */
export async function getImage(call: Call): Promise<void> {
  const [, name, what] = /^(.+)\/([a-z]+)$/.exec(call.parameter('*')) ?? [];
  if (name === undefined) throw new ApiError(404, 'page not found');
  if (what === 'json') {
    const image = await call.engine.images.find(name);
    return call.send(200, { ...imageInspect(image), ...virtualSize(call, image) });
  }
  if (what === 'history') return call.send(200, imageHistory(await call.engine.images.find(name)));
  if (what === 'get') return saveImage(call, name);
  throw new ApiError(404, 'page not found');
}

/** `POST /images/{name}/tag` and `/push`. */
export async function postImage(call: Call): Promise<void> {
  const { engine, query } = call;
  const [, name, what] = /^(.+)\/([a-z]+)$/.exec(call.parameter('*')) ?? [];
  if (name !== undefined && what === 'push') return pushRoute(call, name);
  if (name === undefined || what !== 'tag') throw new ApiError(404, 'page not found');
  const image = await engine.images.find(name);
  const reference = tagReference(query.text('repo'), query.text('tag'));
  await engine.images.tag(image.id, reference);
  engine.events.emit('image', 'tag', image.id, { name: displayName(reference) });
  call.sendNothing(201);
}

/** `DELETE /images/{name}` */
export async function removeImage(call: Call): Promise<void> {
  const { engine, query } = call;
  call.send(200, await removeOne(engine, call.parameter('*'), query.flag('force')));
}

/** `POST /images/prune`: those that no container is made of; without names only, unless `dangling=false`. */
export async function pruneImages(call: Call): Promise<void> {
  const { engine, query } = call;
  const filters = query.filters(['dangling', 'label', 'label!', 'until']);
  const dangling = filters.get('dangling');
  const danglingOnly = dangling === undefined || flagOf('dangling', dangling);
  filters.delete('dangling');
  const tests = await imageTests(engine, filters);
  const before = await engine.images.layersSize();
  const deleted: ({ Untagged: string } | { Deleted: string })[] = [];
  for (const image of await engine.images.list()) {
    if ((danglingOnly && !isDangling(image)) || usersOf(engine, image.id).length > 0) continue;
    if (!tests.every((test) => test(image))) continue;
    // Name by name: what somebody has begun to use, or has named anew, stays.
    const names = [...image.repoTags, ...image.repoDigests];
    for (const name of names.length > 0 ? names : [image.id])
      deleted.push(...(await removeOne(engine, name, false).catch(() => [])));
  }
  await engine.puller.forget();
  const reclaimed = before - (await engine.images.layersSize());
  engine.events.emit('image', 'prune', '', { reclaimed: String(reclaimed) });
  call.send(200, { ImagesDeleted: deleted, SpaceReclaimed: reclaimed });
}

async function removeOne(engine: Engine, reference: string, force: boolean) {
  const { id } = await engine.images.find(reference);
  const { untagged, deleted } = await engine.images.remove(reference, { force, users: (of) => usersOf(engine, of) });
  for (const name of untagged) engine.events.emit('image', 'untag', id, { name });
  for (const gone of deleted) engine.events.emit('image', 'delete', gone, { name: gone });
  return [...untagged.map((name) => ({ Untagged: name })), ...deleted.map((gone) => ({ Deleted: gone }))];
}

function usersOf(engine: Engine, id: string): ImageUser[] {
  return engine.containers
    .all()
    .filter(({ record }) => record.image.id === id)
    .map((container) => ({ id: container.id, running: container.running || container.restarting }));
}

/** `POST /images/create`: an import, or a pull. */
export async function createImage(call: Call): Promise<void> {
  const { query } = call;
  const from = query.text('fromImage');
  if (query.text('fromSrc') !== '') return importRoute(call);
  if (from === '') throw new ApiError(400, 'bad parameter: there is neither fromImage nor fromSrc');
  if (from.includes('moby/buildkit'))
    throw new ApiError(
      501,
      'This engine has the classic builder and does not run BuildKit. Set DOCKER_BUILDKIT=0, and run docker build again.',
    );
  await pullRoute(call);
}
