import * as z from 'zod';
import { ImageConflict } from '../../image/image-errors.ts';
import type { ImageRecord } from '../../image/images.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { imageHistory, imageInspect, imageSummary } from '../views/image.ts';

const FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until'] as const;

/** `GET /images/json` */
export async function listImages(call: Call): Promise<void> {
  const { engine, query } = call;
  const filters = query.filters(FILTERS);
  for (const name of filters.keys())
    if (name !== 'reference' && name !== 'dangling' && name !== 'label')
      throw new ApiError(501, `This engine does not filter images by ${name}. It has reference, dangling and label.`);
  const images = (await engine.images.list()).filter((image) => passes(image, filters));
  call.send(
    200,
    images.map((image) => imageSummary(engine, image)),
  );
}

/** `GET /images/{name}/json` and `/history`; the name may have slashes. */
export async function getImage(call: Call): Promise<void> {
  const [, name, what] = /^(.+)\/([a-z]+)$/.exec(call.parameter('*')) ?? [];
  if (name !== undefined && what === 'json') return call.send(200, imageInspect(await call.engine.images.find(name)));
  if (name !== undefined && what === 'history')
    return call.send(200, imageHistory(await call.engine.images.find(name)));
  if (what === 'get') throw new ApiError(501, 'This engine does not save images yet. Use them where they are.');
  throw new ApiError(404, 'page not found');
}

/** `DELETE /images/{name}` */
export async function removeImage(call: Call): Promise<void> {
  const { engine } = call;
  const reference = call.parameter('*');
  const image = await engine.images.find(reference);
  const user = engine.containers.all().find(({ record }) => record.image.id === image.id);
  // With another name left the image stays, and so does what its containers are made of.
  const last = image.repoTags.length <= 1 || image.id.startsWith(reference) || image.id.slice(7).startsWith(reference);
  if (last && user)
    throw new ImageConflict(
      `conflict: unable to delete ${reference} (cannot be forced) - image is being used by container ${user.id.slice(0, 12)}: remove that first`,
    );
  const { untagged, deleted } = await engine.images.remove(reference);
  for (const name of untagged) engine.events.emit('image', 'untag', image.id, { name });
  for (const id of deleted) engine.events.emit('image', 'delete', id, { name: id });
  call.send(200, [...untagged.map((name) => ({ Untagged: name })), ...deleted.map((id) => ({ Deleted: id }))]);
}

/** `POST /images/create`: what the docker command tries when an image is missing. */
export async function createImage(call: Call): Promise<void> {
  const { engine, query } = call;
  const from = query.text('fromImage');
  if (from === '') throw new ApiError(501, 'This engine does not import images yet. Use the images that are there.');
  const tag = query.text('tag');
  const name = tag === '' ? from : `${from}${tag.startsWith('sha256:') ? '@' : ':'}${tag}`;
  const there = (await engine.images.list()).flatMap((image) => image.repoTags);
  throw new ApiError(
    501,
    `This engine cannot pull ${name.slice(0, 200)} from a registry yet. ` +
      `Use an image it has: ${there.length > 0 ? there.slice(0, 10).join(', ') : 'there is none yet'}.`,
  );
}

const Labels = z.record(z.string(), z.string());

function passes(image: ImageRecord, filters: Map<string, string[]>): boolean {
  const labels = Labels.catch({}).parse(image.config.config?.Labels ?? {});
  return [...filters].every(([name, values]) => {
    if (name === 'dangling') return values.includes('true') === (image.repoTags.length === 0);
    if (name === 'label')
      return values.every((value) => {
        const [key = '', ...rest] = value.split('=');
        return key in labels && (rest.length === 0 || labels[key] === rest.join('='));
      });
    return values.some((value) => image.repoTags.some((tag) => tag === value || tag.split(':')[0] === value));
  });
}
