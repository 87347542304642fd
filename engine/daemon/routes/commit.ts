import { commitContainer } from '../../container/commit.ts';
import { ContainerConfig } from '../../container/config.ts';
import type { Engine } from '../../container/engine.ts';
import { applyChanges } from '../../image/build/apply-changes.ts';
import type { Platform } from '../../image/commit.ts';
import type { ImageRecord } from '../../image/images.ts';
import { importImage } from '../../image/import.ts';
import { displayName } from '../../image/reference.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { JsonStream } from '../json-stream.ts';
import { tagReference } from '../tag-reference.ts';

/** `POST /commit` */
export async function commitRoute(call: Call): Promise<void> {
  const { engine, query } = call;
  const container = engine.containers.find(query.text('container'));
  const reference = referenceOf(call);
  const config = await call.body(ContainerConfig, 'large');
  const image = await commitContainer(engine, container, {
    ...(reference !== undefined && { reference }),
    author: query.text('author'),
    comment: query.text('comment'),
    pause: query.text('pause') === '' || query.flag('pause'),
    config,
    changes: query.texts('changes'),
  });
  emitTag(engine, image, reference);
  call.send(201, { Id: image.id });
}

/** `POST /images/create?fromSrc=-`: an image of the tar that is sent. */
export async function importRoute(call: Call): Promise<void> {
  const { engine, query, response } = call;
  const source = query.text('fromSrc');
  if (source !== '-')
    throw new ApiError(
      501,
      `This engine does not download ${source.slice(0, 200)}. Download it, and import the file: docker import FILE`,
    );
  const reference = referenceOf(call);
  const platform = platformOf(query.text('platform'));
  const execution = applyChanges({}, query.texts('changes'));
  const progress = new JsonStream(response);
  await progress.during(async () => {
    const image = await importImage(engine.images, {
      tar: call.bodyStream(),
      execution,
      comment: query.text('message') || `Imported from ${source}`,
      ...(platform && { platform }),
      ...(reference !== undefined && { reference }),
    });
    engine.events.emit('image', 'import', image.id, {
      name: reference === undefined ? image.id : displayName(reference),
    });
    emitTag(engine, image, reference);
    progress.write({ status: image.id });
  });
}

function referenceOf({ query }: Call): string | undefined {
  const repo = query.text('repo');
  return repo === '' ? undefined : tagReference(repo, query.text('tag'));
}

function emitTag(engine: Engine, image: ImageRecord, reference: string | undefined): void {
  if (reference !== undefined) engine.events.emit('image', 'tag', image.id, { name: displayName(reference) });
}

function platformOf(text: string): Platform | undefined {
  if (text === '') return undefined;
  const [os = '', architecture = '', variant] = text.split('/');
  if (!/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/.test(text) || os === '' || architecture === '')
    throw new ApiError(400, `invalid platform ${text.slice(0, 60)}: it looks like linux/amd64 or linux/arm64/v8`);
  if (os !== 'linux')
    throw new ApiError(
      400,
      `operating system "${os.slice(0, 40)}" is not supported: images of this engine are for linux`,
    );
  return { os, architecture, ...(variant !== undefined && { variant }) };
}
