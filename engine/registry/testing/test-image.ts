/** Images made in memory, as a registry has them: blobs by digest, manifests by digest, tags. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
  annotations?: Record<string, string>;
}

export type Compression = 'none' | 'gzip' | 'zstd';

export interface Content {
  blobs: Map<string, Buffer>;
  /** With their media types. */
  manifests: Map<string, { mediaType: string; bytes: Buffer }>;
}

const OCI = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layers: {
    none: 'application/vnd.oci.image.layer.v1.tar',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  },
};
const DOCKER = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layers: {
    none: 'application/vnd.docker.image.rootfs.diff.tar',
    gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    zstd: OCI.layers.zstd,
  },
};

export interface ImageOptions {
  /** Lowest first: paths and their contents. A path that ends with `/` is a directory. */
  layers: Record<string, string | Buffer>[];
  compression?: Compression | Compression[];
  format?: 'oci' | 'docker';
  architecture?: string;
  os?: string;
  config?: Record<string, unknown>;
  /** Put in place of what would be in the manifest. */
  manifest?: (manifest: { [field: string]: unknown; layers: Descriptor[] }) => unknown;
  /** Put in place of what would be in the configuration. */
  document?: (config: { [field: string]: unknown; rootfs: { diff_ids: string[] } }) => unknown;
}

export function newContent(): Content {
  return { blobs: new Map(), manifests: new Map() };
}

/** Adds an image to `content`. @returns the descriptor of its manifest */
export async function addImage(content: Content, options: ImageOptions): Promise<Descriptor> {
  const { layers, compression = 'gzip', format = 'oci', architecture = hostArchitecture(), os = 'linux' } = options;
  const types = format === 'oci' ? OCI : DOCKER;
  const descriptors: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const [index, files] of layers.entries()) {
    const kind = Array.isArray(compression) ? compression[index]! : compression;
    const tar = await tarOf(files);
    diffIds.push(digestOf(tar));
    descriptors.push(addBlob(content, compressed(tar, kind), types.layers[kind]));
  }
  const config = { architecture, os, config: options.config ?? {}, rootfs: { type: 'layers', diff_ids: diffIds } };
  const configBytes = Buffer.from(JSON.stringify(options.document?.(config) ?? config));
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: addBlob(content, configBytes, types.config),
    layers: descriptors,
  };
  const bytes = Buffer.from(JSON.stringify(options.manifest?.(manifest) ?? manifest));
  return { ...addManifest(content, bytes, types.manifest), platform: { os, architecture } };
}

export function addIndex(content: Content, manifests: Descriptor[], format: 'oci' | 'docker' = 'oci'): Descriptor {
  const mediaType = (format === 'oci' ? OCI : DOCKER).index;
  return addManifest(content, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })), mediaType);
}

export function addManifest(content: Content, bytes: Buffer, mediaType: string): Descriptor {
  const digest = digestOf(bytes);
  content.manifests.set(digest, { mediaType, bytes });
  return { mediaType, digest, size: bytes.length };
}

function addBlob({ blobs }: Content, bytes: Buffer, mediaType: string): Descriptor {
  const digest = digestOf(bytes);
  blobs.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

/** A layer with the host's static busybox in it, so that the image can run. */
export function busyboxLayer(): Record<string, Buffer> {
  const busybox = fs.readFileSync('/bin/busybox');
  return { 'bin/sh': busybox };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function hostArchitecture(): string {
  return { x64: 'amd64' }[process.arch as string] ?? process.arch;
}

async function tarOf(files: Record<string, string | Buffer>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) {
    if (name.endsWith('/')) tar.entry({ name, type: 'directory', mode: 0o755 });
    else tar.entry({ name, mode: 0o755 }, content);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function compressed(tar: Buffer, compression: Compression): Buffer {
  if (compression === 'gzip') return gzipSync(tar, { level: 1 });
  return compression === 'zstd' ? execFileSync('zstd', ['-qc'], { input: tar, maxBuffer: 1 << 30 }) : tar;
}

/** Upload everything to a registry, and give manifests their tags. @param login headers of every request */
export async function upload(
  host: string,
  repository: string,
  { blobs, manifests }: Content,
  tags: Record<string, Descriptor>,
  login: Record<string, string> = {},
): Promise<void> {
  const base = `http://${host}/v2/${repository}`;
  const done = async (answer: Response, status: number) => {
    if (answer.status !== status) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  for (const [digest, body] of blobs) {
    const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST', headers: login });
    const url = new URL(begun.headers.get('location')!, base);
    await done(begun, 202);
    url.searchParams.set('digest', digest);
    const headers = { ...login, 'content-type': 'application/octet-stream' };
    await done(await fetch(url, { method: 'PUT', body: new Uint8Array(body), headers }), 201);
  }
  const put = async (name: string, { mediaType, bytes }: { mediaType: string; bytes: Buffer }) => {
    const headers = { ...login, 'content-type': mediaType };
    await done(await fetch(`${base}/manifests/${name}`, { method: 'PUT', body: new Uint8Array(bytes), headers }), 201);
  };
  for (const [digest, manifest] of manifests) await put(digest, manifest);
  for (const [tag, { digest }] of Object.entries(tags)) await put(tag, manifests.get(digest)!);
}
