import * as z from 'zod';
import type { ImageRecord } from '../../image/images.ts';
import { familiarName, familiarReference, parseReference, type Reference } from '../../image/reference.ts';
import { pushImage } from '../../registry/client/push-image.ts';
import type { PushProgress } from '../../registry/client/push-with-progress.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { JsonStream } from '../json-stream.ts';
import { registryAuth } from '../registry-auth.ts';

/** `POST /images/{name}/push`: one tag, or all of a repository. It ends when the client hangs up. */
export async function pushRoute(call: Call, name: string): Promise<void> {
  const { engine, query, response, signal } = call;
  const reference = referenceOf(name, query.text('tag'));
  const credentials = registryAuth(call);
  const platform = platformOf(query.text('platform'));
  const progress = new JsonStream(response);
  await progress.during(async () => {
    progress.write({ status: `The push refers to repository [${reference.domain}/${reference.path}]` });
    for (const tagged of await taggedImages(call, reference)) {
      if (platform !== undefined) requirePlatform(tagged.image, platform, tagged.reference);
      const onProgress = layerProgress(tagged.image, progress);
      const { digest, size } = await pushImage({ ...engine, ...tagged, credentials, onProgress, signal });
      const { tag = '' } = tagged.reference;
      progress.write({ status: `${tag}: digest: ${digest} size: ${size}` });
      progress.write({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
      engine.events.emit('image', 'push', familiarReference(tagged.reference), { name: familiarName(reference) });
    }
  });
}

/** The tag may stand in the name, too. */
function referenceOf(name: string, tag: string): Reference {
  const reference = parseReference(name);
  if (reference.digest !== undefined)
    throw new ApiError(400, 'cannot push a digest reference: name a tag, or push all tags');
  return tag === '' ? reference : parseReference(`${familiarName(reference)}:${tag}`);
}

interface Tagged {
  reference: Reference;
  image: ImageRecord;
}

/** Without a tag, all images of the repository. */
async function taggedImages({ engine: { images } }: Call, reference: Reference): Promise<Tagged[]> {
  const { domain, path, tag } = reference;
  const tagged = (await images.list()).flatMap((image) =>
    image.repoTags.map((name) => ({ image, reference: parseReference(name) })),
  );
  const wanted = tagged.filter(
    (each) => each.reference.domain === domain && each.reference.path === path && (!tag || each.reference.tag === tag),
  );
  if (wanted.length === 0)
    throw new ApiError(404, `An image does not exist locally with the tag: ${familiarReference(reference)}`);
  return wanted.sort((a, b) => (a.reference.tag! < b.reference.tag! ? -1 : 1));
}

const Platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
type Platform = z.infer<typeof Platform>;

function platformOf(text: string): Platform | undefined {
  if (text === '') return undefined;
  try {
    return Platform.parse(JSON.parse(text));
  } catch {
    throw new ApiError(400, 'invalid parameter platform: it is not the JSON of a platform');
  }
}

/** Images here are for one platform: it is this one, or nothing is pushed. */
function requirePlatform({ config }: ImageRecord, wanted: Platform, reference: Reference): void {
  const { os, architecture, variant } = config;
  const fits =
    os === wanted.os && architecture === wanted.architecture && (!wanted.variant || wanted.variant === variant);
  if (fits) return;
  const name = ({ os, architecture, variant }: Platform) => [os, architecture, variant].filter(Boolean).join('/');
  throw new ApiError(
    404,
    `image with reference ${familiarReference(reference)} was found but does not provide the specified platform ` +
      `(${name(wanted)}): it is for ${name({ os, architecture, variant })}`,
  );
}

/** Milliseconds between two lines about the same layer. */
const PACE = 100;

/** Docker's lines, by the diffIDs of the layers. The configuration is too small to be told of. */
function layerProgress(image: ImageRecord, stream: JsonStream): (progress: PushProgress) => void {
  const ids = new Map(
    image.layers.map(({ digest }, index) => [digest as string, image.config.rootfs.diff_ids[index]!.slice(7, 19)]),
  );
  const told = new Map<string, number>();
  return ({ blob, state, from = '', sent = 0 }) => {
    const id = ids.get(blob.digest);
    if (id === undefined) return;
    if (state === 'pushing') {
      const now = Date.now();
      if (sent < blob.size && now - (told.get(id) ?? 0) < PACE) return;
      told.set(id, now);
    }
    const detail = state === 'pushing' ? { current: sent, total: blob.size } : {};
    stream.write({ status: STATUS[state] + from, progressDetail: detail, id });
  };
}

const STATUS = {
  waiting: 'Preparing',
  exists: 'Layer already exists',
  mounted: 'Mounted from ',
  pushing: 'Pushing',
  pushed: 'Pushed',
} as const;
