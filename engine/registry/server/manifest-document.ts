/** What a manifest or an index that is pushed says: media types, what it refers to, its subject. OCI image-spec. */

import { type Needed, RequestRefused } from '#contract/registry';
import { unreasonableJson } from '../../image/json-shape.ts';
import { clip, isDigest } from './names.ts';

const VALUES_MAX = 50_000;
export const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const KNOWN_TYPES = [INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];
const MEDIA_TYPE = /^(?=.{3,255}$)[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;
const ELSEWHERE = /nondistributable|\.foreign\./;

interface Document {
  mediaType: string;
  needs: Needed[];
  subject?: string;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** One thing that a document refers to. */
export interface Part extends Needed {
  /** It stays where its `urls` say, and need not be pushed. image-spec, layer.md, "Non-Distributable Layers" */
  elsewhere: boolean;
}

/** What a manifest or an index says. @throws RequestRefused 400 that says where it departs from the specification */
export function readManifest(bytes: Uint8Array, contentType: string | string[] | undefined): Document {
  const document = parseObject(bytes);
  const mediaType = mediaTypeOf(document, `${contentType ?? ''}`.split(';')[0]!.trim());
  checkShape(document, mediaType);
  const { subject, annotations = {} } = document;
  const artifactType = artifactTypeOf(document);
  if (!isObject(annotations) || !Object.values(annotations).every((value) => typeof value === 'string'))
    throw invalidManifest('annotations must be strings');
  return {
    mediaType,
    needs: partsIn(document).flatMap(({ elsewhere, ...need }) => (elsewhere ? [] : [need])),
    ...(subject !== undefined && subject !== null && { subject: part(subject, 'subject', 'manifest').digest }),
    ...(artifactType !== undefined && { artifactType }),
    ...(document.annotations !== undefined && { annotations: annotations as Record<string, string> }),
  };
}

/** All that a document refers to, but its subject. @throws RequestRefused 400 */
export function partsOf(bytes: Uint8Array): Part[] {
  return partsIn(parseObject(bytes));
}

/** A document may leave it to Content-Type what it is, unless it is of a type that we do not know. */
function mediaTypeOf({ mediaType: own, schemaVersion }: Record<string, unknown>, declared: string): string {
  if (own !== undefined && typeof own !== 'string') throw invalidManifest('mediaType must be a string');
  const mediaType = own ?? declared;
  if (mediaType === '') throw invalidManifest('neither Content-Type nor mediaType says what it is');
  if (declared !== '' && declared !== mediaType)
    throw invalidManifest(`Content-Type is ${clip(declared)}, and mediaType is ${clip(mediaType)}`);
  if (!MEDIA_TYPE.test(mediaType)) throw invalidManifest('mediaType must be TYPE/SUBTYPE');
  if (SCHEMA_1.test(mediaType) || schemaVersion === 1)
    throw invalidManifest('schema 1 is not supported; push schema 2 or OCI');
  if (own === undefined && !KNOWN_TYPES.includes(mediaType))
    throw invalidManifest(`a document of type ${clip(mediaType)} must say so in mediaType`);
  return mediaType;
}

/** A document that is both manifest and index would be one to some clients and the other to others. */
function checkShape(document: Record<string, unknown>, mediaType: string): void {
  if (!KNOWN_TYPES.includes(mediaType)) return;
  const { schemaVersion, config, layers, blobs, manifests } = document;
  if (schemaVersion !== 2) throw invalidManifest('schemaVersion must be 2');
  const isIndex = mediaType === INDEX || mediaType === DOCKER_INDEX;
  if (isIndex && !Array.isArray(manifests)) throw invalidManifest('manifests must be a list');
  if (!isIndex && !(isObject(config) && Array.isArray(layers))) throw invalidManifest('it must have config and layers');
  const foreign = isIndex ? [config, layers, blobs] : [manifests];
  if (foreign.some((value) => value !== undefined))
    throw invalidManifest(
      `${isIndex ? 'an index has' : 'a manifest has'} ${isIndex ? 'no config and no layers' : 'no manifests'}`,
    );
}

/** "Listing Referrers": of a manifest without one, the media type of its configuration. */
function artifactTypeOf({ artifactType, config }: Record<string, unknown>): string | undefined {
  const type = artifactType || (isObject(config) ? config.mediaType : undefined);
  if (type === undefined || type === null || type === '') return undefined;
  if (typeof type !== 'string') throw invalidManifest('artifactType must be a string');
  return type;
}

function partsIn({ config, layers, blobs, manifests }: Record<string, unknown>): Part[] {
  return [
    ...(config === undefined || config === null ? [] : [part(config, 'config', 'blob')]),
    ...list(layers, 'layers').map((each, at) => part(each, `layers.${at}`, 'blob')),
    ...list(blobs, 'blobs').map((each, at) => part(each, `blobs.${at}`, 'blob')),
    ...list(manifests, 'manifests').map((each, at) => part(each, `manifests.${at}`, 'manifest')),
  ];
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  const why = unreasonableJson(bytes, VALUES_MAX);
  if (why !== undefined) throw invalidManifest(why);
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalidManifest(`it is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(document)) throw invalidManifest('it must be a JSON object');
  return document;
}

function list(value: unknown, where: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidManifest(`${where} must be a list`);
  return value;
}

function part(value: unknown, where: string, kind: Needed['kind']): Part {
  const { digest, size, mediaType } = isObject(value) ? value : {};
  if (typeof digest !== 'string' || !isDigest(digest))
    throw invalidManifest(`${where}.digest must be a sha256 or sha512 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalidManifest(`${where}.size must be a number of bytes`);
  return { digest, size, kind, elsewhere: ELSEWHERE.test(`${mediaType}`) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalidManifest(why: string): RequestRefused {
  return new RequestRefused(400, 'MANIFEST_INVALID', `the manifest is refused: ${why}`);
}
