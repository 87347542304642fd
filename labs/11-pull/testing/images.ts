/** Images that are drawn anew for each test, and the answers of a registry that has them. */

import { createHash } from 'node:crypto';
import { draw } from '../../../grader/harness/random.ts';
import type { Answer } from '../pull.driver.ts';

export const OCI = 'application/vnd.oci.image';
export const DOCKER = 'application/vnd.docker';

export interface Part {
  mediaType: string;
  digest: string;
  size: number;
}

export interface Image {
  manifest: Part & { bytes: Buffer };
  config: Part & { bytes: Buffer };
  /** Lowest first. */
  layers: (Part & { bytes: Buffer; diffId: string })[];
  /** By path, all by digest. */
  answers: Record<string, Answer>;
}

export const digestOf = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
export const anyDigest = () => digestOf(draw.bytes(16));

export const bare = ({ mediaType, digest, size }: Part): Part => ({ mediaType, digest, size });

export function part(mediaType: string, content: Uint8Array | object): Part & { bytes: Buffer } {
  const bytes = content instanceof Uint8Array ? Buffer.from(content) : Buffer.from(JSON.stringify(content));
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

/** In several chunks. */
export function sent(bytes: Uint8Array, headers: Record<string, string> = {}): Answer {
  const most = Math.max(0, bytes.length - 1);
  const drawn = Array.from({ length: draw.int(0, 3) }, () => draw.int(Math.min(1, most), most));
  const cuts = [...new Set(drawn)].filter(Boolean).sort((one, other) => one - other);
  const chunks = [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length));
  return { headers: { 'content-length': String(bytes.length), ...headers }, chunks };
}

export interface ImageOptions {
  layers?: number;
  /** Put in place of what would be in the document. */
  manifest?: (fields: Record<string, unknown> & { layers: Part[] }) => object;
  config?: (fields: Record<string, unknown>) => object;
  architecture?: string;
}

export function drawnImage({ layers: count = 3, manifest, config, architecture = 'amd64' }: ImageOptions = {}): Image {
  const isDocker = draw.boolean();
  const types = isDocker
    ? {
        manifest: `${DOCKER}.distribution.manifest.v2+json`,
        config: `${DOCKER}.container.image.v1+json`,
        layers: [`${DOCKER}.image.rootfs.diff.tar.gzip`, `${DOCKER}.image.rootfs.diff.tar`],
      }
    : {
        manifest: `${OCI}.manifest.v1+json`,
        config: `${OCI}.config.v1+json`,
        layers: [`${OCI}.layer.v1.tar`, `${OCI}.layer.v1.tar+gzip`, `${OCI}.layer.v1.tar+zstd`],
      };
  const layers = Array.from({ length: count }, () => ({
    ...part(draw.pick(types.layers), draw.bytes(draw.int(10, 3000))),
    diffId: anyDigest(),
  }));
  const fields = {
    architecture,
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  };
  const configPart = part(types.config, config?.(fields) ?? { ...fields, config: { Cmd: [draw.word()] } });
  const outline = { schemaVersion: 2, mediaType: types.manifest, config: bare(configPart), layers: layers.map(bare) };
  const manifestPart = part(types.manifest, manifest?.(outline) ?? outline);
  return {
    manifest: manifestPart,
    config: configPart,
    layers,
    answers: {
      [`manifests/${manifestPart.digest}`]: sent(manifestPart.bytes, { 'content-type': types.manifest }),
      ...Object.fromEntries([configPart, ...layers].map(({ digest, bytes }) => [`blobs/${digest}`, sent(bytes)])),
    },
  };
}

export function drawnIndex(entries: object[]): Part & { bytes: Buffer } {
  const mediaType = draw.pick([`${OCI}.index.v1+json`, `${DOCKER}.distribution.manifest.list.v2+json`]);
  return part(mediaType, { schemaVersion: 2, mediaType, manifests: entries });
}

/** As a registry answers for a tag. */
export function tagged(
  { bytes, mediaType, digest }: Part & { bytes: Buffer },
  headers: Record<string, string> = {},
): Answer {
  return sent(bytes, { 'content-type': mediaType, 'docker-content-digest': digest, ...headers });
}
