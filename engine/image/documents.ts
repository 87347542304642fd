/**
 * The JSON documents of an image: descriptor, index, manifest, configuration, layout. OCI image-spec.
 * They come from outside (archives, registries, a disk others write to) and are validated here, once.
 */

import * as z from 'zod';
import { type Digest, isDigest } from './digest.ts';
import { unreasonableJson } from './json-shape.ts';

export const MEDIA_TYPE = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

/** annotations.md: the name of a manifest within a layout's index. */
export const REF_NAME = 'org.opencontainers.image.ref.name';

/** No document may be larger (bytes): the limit that registries set for manifests. */
export const DOCUMENT_SIZE_MAX = 4 * 1024 * 1024;

/** Values in one document. */
const VALUES_MAX = 50_000;

/** Docker's own names for the same documents, as they are in archives and registries. */
export const DOCKER_MEDIA_TYPE = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar',
  layerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;

export class InvalidDocument extends Error {
  readonly code = 'DOCUMENT_INVALID';
  override readonly name = 'InvalidDocument';
}

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is not a sha256 digest');
const strings = z.record(z.string(), z.string());
const emptyObjects = z.record(z.string(), z.object({}));
/** Go writes null for an empty list or map. */
const list = <T extends z.ZodType>(item: T) => z.array(item).nullish();

const descriptorOf = <T extends z.ZodType<string>>(mediaType: T) =>
  z.looseObject({
    mediaType,
    digest,
    size: z.int().nonnegative(),
    annotations: strings.optional(),
  });

export const Descriptor = descriptorOf(z.string().max(255));
export type Descriptor = z.infer<typeof Descriptor>;

const layerDescriptor = descriptorOf(
  z.enum([
    MEDIA_TYPE.layer,
    MEDIA_TYPE.layerGzip,
    MEDIA_TYPE.layerZstd,
    DOCKER_MEDIA_TYPE.layer,
    DOCKER_MEDIA_TYPE.layerGzip,
  ]),
);
export type LayerDescriptor = z.infer<typeof layerDescriptor>;

/** manifest.md */
export const Manifest = z.looseObject({
  schemaVersion: z.literal(2).optional(),
  mediaType: z.enum([MEDIA_TYPE.manifest, DOCKER_MEDIA_TYPE.manifest]).optional(),
  config: descriptorOf(z.enum([MEDIA_TYPE.config, DOCKER_MEDIA_TYPE.config])),
  layers: z.array(layerDescriptor).max(1000),
  annotations: strings.optional(),
});
export type Manifest = z.infer<typeof Manifest>;

/** config.md, "config": what a container of the image runs with, unless it is told otherwise. */
export const Execution = z.looseObject({
  User: z.string().optional(),
  ExposedPorts: emptyObjects.nullish(),
  Env: list(z.string()),
  Entrypoint: list(z.string()),
  Cmd: list(z.string()),
  Volumes: emptyObjects.nullish(),
  WorkingDir: z.string().optional(),
  Labels: strings.nullish(),
  StopSignal: z.string().optional(),
});
export type Execution = z.infer<typeof Execution>;

const History = z.looseObject({
  created: z.string().nullish(),
  created_by: z.string().optional(),
  author: z.string().optional(),
  comment: z.string().optional(),
  empty_layer: z.boolean().optional(),
});
export type History = z.infer<typeof History>;

/** config.md. Older builders leave out what is the same for every image, and Go writes null for a time that is not set. */
export const ImageConfig = z.looseObject({
  created: z.string().nullish(),
  author: z.string().optional(),
  architecture: z.string().default(''),
  os: z.string().default('linux'),
  variant: z.string().optional(),
  config: Execution.optional(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digest).max(1000) }),
  history: list(History),
});
export type ImageConfig = z.infer<typeof ImageConfig>;

/** image-layout.md, "oci-layout" */
export const Layout = z.object({ imageLayoutVersion: z.literal('1.0.0') });

/**
 * Read `bytes` as one of the documents above.
 * @param what names it in the error, e.g. `manifest sha256:12…`.
 * @throws InvalidDocument that says where it departs from the specification.
 */
export function parseDocument<T extends z.ZodType>(schema: T, bytes: Uint8Array, what: string): z.infer<T> {
  const why = unreasonableJson(bytes, VALUES_MAX);
  if (why !== undefined) throw new InvalidDocument(`${what} is refused: ${why}`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InvalidDocument(`${what} is not JSON: ${(error as Error).message}`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length ? `at ${issue.path.join('.')}: ` : '';
  throw new InvalidDocument(`${what} is not what the OCI image specification demands: ${where}${issue?.message}`);
}
