import { pipeline } from 'node:stream/promises';
import { loadArchive } from '../../image/load.ts';
import { imagesToSave, saveArchive } from '../../image/save.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { JsonStream } from '../json-stream.ts';

/** `GET /images/get?names=…` */
export async function saveImages(call: Call): Promise<void> {
  const names = call.query
    .texts('names')
    .flatMap((value) => value.split(','))
    .filter(Boolean);
  if (names.length === 0) throw new ApiError(400, 'no image is named: name those that are to be saved');
  await sendArchive(call, names);
}

/** `GET /images/{name}/get` */
export async function saveImage(call: Call, name: string): Promise<void> {
  await sendArchive(call, [name]);
}

async function sendArchive({ engine, response, signal }: Call, names: string[]): Promise<void> {
  const saved = await imagesToSave(engine.images, names);
  const archive = await saveArchive(engine.images, saved);
  for (const { image } of saved) engine.events.emit('image', 'save', image.id, { name: image.id });
  response.writeHead(200, { 'Content-Type': 'application/x-tar' });
  // A failure in the middle breaks the connection off, which is how a client notices.
  await pipeline(archive, response, { signal }).catch(() => response.destroy());
}

/** `POST /images/load` */
export async function loadImages(call: Call): Promise<void> {
  const { engine, response, query } = call;
  const progress = new JsonStream(response);
  const quiet = query.flag('quiet');
  await progress.during(async () => {
    const loaded = await loadArchive(engine.images, call.bodyStream(), (diffId, size) => {
      if (!quiet)
        progress.write({
          status: 'Loading layer',
          progressDetail: { current: size, total: size },
          id: diffId.slice(7, 19),
        });
    });
    for (const { image, names } of loaded) {
      engine.events.emit('image', 'load', image.id, { name: names[0] ?? image.id });
      if (names.length === 0) progress.write({ stream: `Loaded image ID: ${image.id}\n` });
      for (const name of names) progress.write({ stream: `Loaded image: ${name}\n` });
    }
  });
}
