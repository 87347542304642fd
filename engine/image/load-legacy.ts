/**
 * Archives as Docker wrote them before version 1.10: a directory for each layer, with its tar and a `json` that names its
 * parent, and `repositories`, which names the topmost ones. moby, image/spec/v1.md, "Combined Image JSON + Filesystem
 * Changeset Format".
 */

import * as z from 'zod';
import { type ArchiveFiles, compressionOfBlob } from './archive-files.ts';
import { hostPlatform } from './commit.ts';
import { Execution, type History, type LayerDescriptor, MEDIA_TYPE, parseDocument } from './documents.ts';
import { InvalidArchive } from './image-errors.ts';
import type { Images } from './images.ts';
import { completeName } from './reference.ts';
import type { Blob } from './store.ts';

export const LEGACY_INDEX = 'repositories';

/** Tags by repository, and by tag the id of the topmost layer. */
const Repositories = z.record(z.string().max(4096), z.record(z.string().max(128), z.string().regex(/^[0-9a-f]{64}$/)));

const LayerJson = z.looseObject({
  parent: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullish(),
  created: z.string().nullish(),
  author: z.string().nullish(),
  comment: z.string().nullish(),
  architecture: z.string().nullish(),
  os: z.string().nullish(),
  config: Execution.nullish(),
  container_config: z.looseObject({ Cmd: z.array(z.string()).nullish() }).nullish(),
});
type LayerJson = z.infer<typeof LayerJson>;

/** What one topmost layer comes to. */
export interface LegacyImage {
  names: string[];
  config: Blob;
  /** Lowest first. */
  layers: LayerDescriptor[];
}

/** As many layers as any image has. */
const LAYERS_MAX = 1000;

/** @throws InvalidArchive, InvalidDocument, InvalidReference */
export async function legacyImages(files: ArchiveFiles, images: Images): Promise<LegacyImage[]> {
  const repositories = parseDocument(Repositories, await files.document(LEGACY_INDEX), LEGACY_INDEX);
  const names = new Map<string, string[]>();
  for (const [repository, tags] of Object.entries(repositories))
    for (const [tag, id] of Object.entries(tags))
      names.set(id, [...(names.get(id) ?? []), completeName(`${repository}:${tag}`)]);
  if (names.size === 0) throw new InvalidArchive(`the archive names no image in its file ${LEGACY_INDEX}`);
  return Promise.all([...names].map(async ([id, given]) => ({ names: given, ...(await imageOf(files, images, id)) })));
}

async function imageOf(files: ArchiveFiles, images: Images, top: string): Promise<Omit<LegacyImage, 'names'>> {
  const chain: { id: string; json: LayerJson }[] = [];
  for (let id: string | null | undefined = top; id; id = chain[0]!.json.parent) {
    if (chain.length === LAYERS_MAX) throw new InvalidArchive(`the image ${top} has more than ${LAYERS_MAX} layers`);
    chain.unshift({ id, json: parseDocument(LayerJson, await files.document(`${id}/json`), `layer ${id}`) });
  }
  const layers: LayerDescriptor[] = [];
  for (const { id } of chain) {
    const blob = await files.layer(`${id}/layer.tar`);
    // Its digest is the layer's own only as long as nothing is compressed.
    if ((await compressionOfBlob(images, blob.digest)) !== 'none')
      throw new InvalidArchive(`the layer ${id} is compressed, which archives of this old form are not`);
    layers.push({ mediaType: MEDIA_TYPE.layer, ...blob });
  }
  const { json } = chain.at(-1)!;
  const host = hostPlatform();
  const document = {
    created: json.created ?? undefined,
    author: json.author || undefined,
    architecture: json.architecture || host.architecture,
    os: json.os || host.os,
    config: json.config ?? {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: chain.map((each) => historyOf(each.json)),
  };
  const config = await images.store.put(JSON.stringify(document));
  files.stored.add(config.digest);
  return { config, layers };
}

function historyOf({ created, author, comment, container_config }: LayerJson): History {
  const command = container_config?.Cmd?.join(' ');
  return {
    ...(created && { created }),
    ...(command && { created_by: command }),
    ...(author && { author }),
    ...(comment && { comment }),
  };
}
