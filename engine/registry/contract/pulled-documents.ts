/** The documents that a registry sends, read and checked for what this engine can use: shared by engine and labs. */

import * as z from 'zod';
import { Index, type IndexDescriptor } from '../../image/archive-documents.ts';
import { ImageConfig, InvalidDocument, Manifest, parseDocument } from '../../image/documents.ts';
import { INDEX_TYPES, MANIFEST_TYPES, type PulledDescriptor, type PullPlatform, PullRefused } from './pull.ts';

/** Enough of a manifest to say why it is refused. */
const Outline = z.looseObject({
  config: z.looseObject({ mediaType: z.string().optional() }).optional(),
  layers: z.array(z.looseObject({ mediaType: z.string().optional(), digest: z.string().optional() })).optional(),
});

/** Layers whose bytes are not in the registry, or may not be passed on: image-spec, layer.md, "Non-Distributable Layers". */
const FOREIGN = /nondistributable|rootfs\.foreign/;

/** The entries of an index. @param digest of the index, for errors. @throws PullRefused if it is malformed. */
export function parseIndex(bytes: Uint8Array, digest: string): IndexDescriptor[] {
  return read(Index, bytes, 'index', digest).manifests;
}

/**
 * The configuration and the layers of a manifest, lowest first.
 * @param descriptor of the manifest; its digest is for errors.
 * @throws PullRefused if it is malformed; also for artifacts that are not images, and for layers that this engine cannot have.
 */
export function parseManifest(bytes: Uint8Array, { digest }: PulledDescriptor): Manifest {
  const step = `use the manifest ${digest}`;
  const outline = read(Outline, bytes, 'manifest', digest);
  const kind = outline.config?.mediaType ?? '';
  if (outline.config !== undefined && !Manifest.shape.config.shape.mediaType.safeParse(kind).success)
    throw new PullRefused('unsupported', step, `it is not an image but an artifact of the type ${clip(kind)}`);
  for (const layer of outline.layers ?? []) {
    const type = layer.mediaType ?? '';
    if (FOREIGN.test(type))
      throw new PullRefused(
        'unsupported',
        step,
        `its layer ${clip(layer.digest ?? '')} is foreign (${clip(type)}): the registry does not have its bytes, and this engine fetches them from nowhere else`,
      );
    if (!Manifest.shape.layers.element.shape.mediaType.safeParse(type).success)
      throw new PullRefused(
        'unsupported',
        step,
        `its layer ${clip(layer.digest ?? '')} is of the type ${clip(type)}; this engine unpacks tar, tar+gzip and tar+zstd`,
      );
  }
  return read(Manifest, bytes, 'manifest', digest);
}

/**
 * The diffIDs of the layers of an image.
 * @param layers how many layers the manifest has.
 * @throws PullRefused if it is malformed, or does not fit the manifest or the platform.
 */
export function parseImageConfig(
  bytes: Uint8Array,
  { digest }: PulledDescriptor,
  platform: PullPlatform,
  layers: number,
): { diffIds: string[] } {
  const step = `use the configuration ${digest}`;
  const config = read(ImageConfig, bytes, 'configuration', digest);
  const { os, architecture, rootfs } = config;
  if (os !== 'linux')
    throw new PullRefused('unsupported', step, `the image is for ${clip(os)}; this engine runs images for linux`);
  if (platform.isAsked && architecture !== '' && architecture !== platform.architecture)
    throw new PullRefused(
      'not-found',
      step,
      `the image is for ${os}/${clip(architecture)} only, not for ${platform.os}/${platform.architecture}`,
    );
  if (rootfs.diff_ids.length !== layers)
    throw new PullRefused('protocol', step, `it names ${rootfs.diff_ids.length} layers, and the manifest ${layers}`);
  return { diffIds: rootfs.diff_ids };
}

/** Which platform an image is for. */
export function platformOf(bytes: Uint8Array, { digest }: PulledDescriptor): PullPlatform {
  const { os, architecture, variant } = read(ImageConfig, bytes, 'configuration', digest);
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

function read<T extends z.ZodType>(schema: T, bytes: Uint8Array, kind: string, digest: string): z.infer<T> {
  try {
    return parseDocument(schema, bytes, `the ${kind}`);
  } catch (error) {
    if (!(error instanceof InvalidDocument)) throw error;
    throw new PullRefused('protocol', `use the ${kind} ${digest}`, error.message);
  }
}

function clip(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 100);
}

/** "Image manifest version 2, schema 1": without configuration, and with layers that nothing names by digest. */
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/;

const KNOWN = [...MANIFEST_TYPES, ...INDEX_TYPES];

/** For the header `accept` of requests for manifests. */
export const ACCEPTED = KNOWN.join(', ');

export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.includes(mediaType);
}

/**
 * What a document is: as the registry says, or, if that is nothing particular, as it says itself.
 * @throws PullRefused when it is neither a manifest nor an index, or the two contradict each other.
 */
export function typeOf(contentType: string | undefined, bytes: Uint8Array, step: string): string {
  const said = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (said === 'text/html') throw new PullRefused('protocol', step, 'it sends a page of HTML instead of a manifest');
  const document = shapeOf(bytes);
  if (SCHEMA_1.test(said) || document?.schemaVersion === 1)
    throw new PullRefused(
      'unsupported',
      step,
      'its manifest is of schema 1, which Docker gave up in 2024; push the image again with a newer client',
    );
  if (document === undefined) throw new PullRefused('protocol', step, 'what it sends as a manifest is not JSON');
  const own = document.mediaType ?? (document.manifests === undefined ? MANIFEST_TYPES : INDEX_TYPES)[0]!;
  const isKnown = KNOWN.includes(said);
  if (isKnown && document.mediaType !== undefined && document.mediaType !== said)
    throw new PullRefused('protocol', step, `it is sent as ${said} and calls itself ${quoted(document.mediaType)}`);
  const type = isKnown ? said : own;
  if (!KNOWN.includes(type))
    throw new PullRefused('unsupported', step, `it is neither an image nor an index of images, but ${quoted(type)}`);
  return type;
}

interface Shape {
  schemaVersion?: unknown;
  mediaType?: string;
  manifests?: unknown;
}

function shapeOf(bytes: Uint8Array): Shape | undefined {
  try {
    const document = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown> | null;
    if (typeof document !== 'object' || document === null) return undefined;
    const { schemaVersion, mediaType, manifests } = document;
    return { schemaVersion, manifests, ...(typeof mediaType === 'string' && { mediaType }) };
  } catch {
    return undefined;
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
