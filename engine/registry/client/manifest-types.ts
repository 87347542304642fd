/** Media types of manifests: what is asked for, what came, and what is refused by name. */

import { DOCKER_MEDIA_TYPE, MEDIA_TYPE } from '../../image/documents.ts';
import { PullRefused } from '../contract/pull.ts';

const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const INDEXES: string[] = [MEDIA_TYPE.index, DOCKER_LIST];
const MANIFESTS: string[] = [MEDIA_TYPE.manifest, DOCKER_MEDIA_TYPE.manifest];
/** "Image manifest version 2, schema 1": without configuration, and with layers that nothing names by digest. */
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/;

export const ACCEPTED = [...MANIFESTS, ...INDEXES].join(', ');

export function isIndexType(mediaType: string): boolean {
  return INDEXES.includes(mediaType);
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
  const own = document.mediaType ?? (document.manifests === undefined ? MEDIA_TYPE.manifest : MEDIA_TYPE.index);
  const isKnown = [...INDEXES, ...MANIFESTS].includes(said);
  if (isKnown && document.mediaType !== undefined && document.mediaType !== said)
    throw new PullRefused('protocol', step, `it is sent as ${said} and calls itself ${clip(document.mediaType)}`);
  const type = isKnown ? said : own;
  if (![...INDEXES, ...MANIFESTS].includes(type))
    throw new PullRefused('unsupported', step, `it is neither an image nor an index of images, but ${clip(type)}`);
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

function clip(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
