/** What a manifest or an index that is pushed says: media types, what it refers to, its subject. OCI image-spec. */

import { type Needed, RegistryError } from '#contract/registry';
import { unreasonableJson } from '../image/json-shape.ts';
import { clip, isDigest } from './names.ts';

const VALUES_MAX = 50_000;
export const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const KNOWN_TYPES = [INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];
/** Layers that stay where their `urls` say. image-spec, layer.md, "Non-Distributable Layers" */
const ELSEWHERE = /nondistributable|\.foreign\./;

interface Document {
  mediaType: string;
  needs: Needed[];
  subject?: string;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** What a manifest or an index says. @throws RegistryError 400 that says where it departs from the specification */
export function readManifest(bytes: Uint8Array, contentType: string | string[] | undefined): Document {
  const document = parseObject(bytes);
  const declared = `${contentType ?? ''}`.split(';')[0]!.trim();
  const own = document.mediaType;
  if (own !== undefined && typeof own !== 'string') throw invalidManifest('mediaType must be a string');
  const mediaType = own ?? declared;
  if (mediaType === '') throw invalidManifest('neither Content-Type nor mediaType says what it is');
  if (declared !== '' && declared !== mediaType)
    throw invalidManifest(`Content-Type is ${clip(declared)}, and mediaType is ${clip(mediaType)}`);
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(mediaType) || mediaType.length > 255)
    throw invalidManifest('mediaType must be TYPE/SUBTYPE');
  if (/\.manifest\.v1\+(?:json|prettyjws)$/.test(mediaType) && mediaType.includes('docker'))
    throw invalidManifest('schema 1 is not supported; push schema 2 or OCI');
  if (document.schemaVersion !== 2 && KNOWN_TYPES.includes(mediaType)) throw invalidManifest('schemaVersion must be 2');
  if (own === undefined && !KNOWN_TYPES.includes(mediaType))
    throw invalidManifest(`a document of type ${clip(mediaType)} must say so in mediaType`);

  const isIndex = mediaType === INDEX || mediaType === DOCKER_INDEX;
  const { config, subject, layers, blobs, manifests } = document;
  if ((mediaType === MANIFEST || mediaType === DOCKER_MANIFEST) && !(config && Array.isArray(layers)))
    throw invalidManifest('config and layers must be there');
  if (isIndex && !Array.isArray(manifests)) throw invalidManifest('manifests must be a list');
  const needs = [
    ...(config === undefined || isIndex ? [] : [needed(config, 'config', 'blob')]),
    ...[...list(layers, 'layers'), ...list(blobs, 'blobs')].flatMap((layer, at) =>
      isElsewhere(layer) ? [] : [needed(layer, `layers.${at}`, 'blob')],
    ),
    ...list(manifests, 'manifests').map((child, at) => needed(child, `manifests.${at}`, 'manifest')),
  ];
  const artifactType =
    document.artifactType || (isIndex ? undefined : (config as { mediaType?: unknown } | undefined)?.mediaType);
  if (artifactType !== undefined && typeof artifactType !== 'string')
    throw invalidManifest('artifactType must be a string');
  const annotations = document.annotations as Record<string, string> | undefined;
  if (
    annotations &&
    !(isObject(annotations) && Object.values(annotations).every((value) => typeof value === 'string'))
  ) {
    throw invalidManifest('annotations must be strings');
  }
  return {
    mediaType,
    needs,
    ...(subject !== undefined && subject !== null && { subject: needed(subject, 'subject', 'manifest').digest }),
    ...(artifactType && { artifactType }),
    ...(annotations && { annotations }),
  };
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

function needed(value: unknown, where: string, kind: Needed['kind']): Needed {
  const { digest, size } = isObject(value) ? value : {};
  if (typeof digest !== 'string' || !isDigest(digest))
    throw invalidManifest(`${where}.digest must be a sha256 or sha512 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalidManifest(`${where}.size must be a number of bytes`);
  return { digest, size, kind };
}

function isElsewhere(layer: unknown): boolean {
  return isObject(layer) && ELSEWHERE.test(`${layer.mediaType}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalidManifest(why: string): RegistryError {
  return new RegistryError(400, 'MANIFEST_INVALID', `the manifest is refused: ${why}`);
}
