/** Blobs under the names of their content. OCI image-spec, image-layout.md and descriptor.md. */

import { mkdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobWriter } from '#contract/store';
import { BlobCorrupt, BlobNotFound } from '#contract/store';
import { ScratchBlob } from './blob-writer.ts';
import { digestOf, hexOf, isDigest, parseDigest } from './digest.ts';
import { Layout, parseDocument } from './documents.ts';
import { replaceFile, scratchPath, sweepScratch } from './scratch.ts';

const SCRATCH = 'scratch';

export function blobPath(root: string, digest: string): string {
  return join(root, 'blobs', 'sha256', hexOf(parseDigest(digest)));
}

export function openLayout(root: string): void {
  mkdirSync(join(root, 'blobs', 'sha256'), { recursive: true });
  sweepScratch(join(root, SCRATCH));
  const marker = join(root, 'oci-layout');
  const existing = readIfThere(marker);
  if (existing) parseDocument(Layout, existing, marker);
  else replaceFile(marker, JSON.stringify({ imageLayoutVersion: '1.0.0' }), join(root, SCRATCH));
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function beginBlob(root: string): BlobWriter {
  return new ScratchBlob(scratchPath(join(root, SCRATCH)), (digest) => blobPath(root, digest));
}

export async function readBlob(root: string, digest: string, most: number): Promise<Uint8Array> {
  const file = await open(blobPath(root, digest)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new BlobNotFound(`blob ${digest} is not in the store ${root}; pull or load the image again`);
  });
  try {
    const { size } = await file.stat();
    if (size > most) throw new BlobCorrupt(`blob ${digest} has ${size} bytes, a document at most ${most}`);
    const bytes = await file.readFile();
    const found = digestOf(bytes);
    if (found !== digest) throw new BlobCorrupt(`blob ${digest} is damaged: its bytes have the digest ${found}`);
    return bytes;
  } finally {
    await file.close();
  }
}

export function garbage(present: string[], roots: string[], read: (digest: string) => Uint8Array): string[] {
  const there = new Set(present);
  const used = new Set<string>();
  // Anybody may name a manifest as a layer: it is used then, and not followed yet.
  const followed = new Set<string>();
  const visit = (digest: string): void => {
    if (followed.has(digest)) return;
    followed.add(digest);
    used.add(digest);
    const { manifests = [], config, layers = [] } = JSON.parse(Buffer.from(read(digest)).toString()) as References;
    for (const each of [config, ...layers]) if (each && isDigest(each.digest)) used.add(each.digest);
    for (const each of manifests) if (there.has(each.digest)) visit(each.digest);
  };
  for (const root of roots) visit(root);
  return present.filter((digest) => !used.has(digest));
}

/** What a manifest or an index may refer to. OCI image-spec, manifest.md and image-index.md. */
interface References {
  manifests?: { digest: string }[];
  config?: { digest: string };
  layers?: { digest: string }[];
}
