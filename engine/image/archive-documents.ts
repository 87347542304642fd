/**
 * What tells which images an archive holds. Docker's archives have manifest.json at their top, OCI's have index.json
 * (image-layout.md); those that Docker writes since version 25 have both.
 */

import * as z from 'zod';
import { Descriptor, MEDIA_TYPE } from './documents.ts';

/** Images in one archive. */
const IMAGES_MAX = 1000;
const path = z.string().max(4096);

/** moby, image/spec/v1.3.md, "Combined Image JSON + Filesystem Changeset Format", manifest.json. */
export const DockerManifest = z
  .array(
    z.looseObject({
      Config: path,
      RepoTags: z.array(z.string()).max(IMAGES_MAX).nullish(),
      /** Lowest first. */
      Layers: z.array(path).max(1000).nullish(),
    }),
  )
  .min(1)
  .max(IMAGES_MAX);
export type DockerManifest = z.infer<typeof DockerManifest>;

const Platform = z.looseObject({ architecture: z.string(), os: z.string(), variant: z.string().optional() });

/** image-index.md; Docker's manifest lists have the same form. */
export const Index = z.looseObject({
  schemaVersion: z.literal(2).optional(),
  manifests: z.array(Descriptor.extend({ platform: Platform.nullish() })).max(IMAGES_MAX),
});
export type Index = z.infer<typeof Index>;
export type IndexDescriptor = Index['manifests'][number];

const INDEX_TYPES = new Set<string>([MEDIA_TYPE.index, 'application/vnd.docker.distribution.manifest.list.v2+json']);

/** Whether a descriptor is of an index, whose manifests are for several platforms. */
export function isIndex({ mediaType }: Descriptor): boolean {
  return INDEX_TYPES.has(mediaType);
}

/** The complete name of an image, which containerd and Docker write beside its tag. */
export const CONTAINERD_NAME = 'io.containerd.image.name';
