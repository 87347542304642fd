/** The root file system of our image `hostbox`, unpacked, so that the other engines run the very same program. */

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { run } from './process.ts';
import type { Skiff } from './skiff.ts';

const descriptor = z.object({ digest: z.string().regex(/^[a-z0-9]+:[0-9a-f]+$/) });
const index = z.object({ manifests: z.array(descriptor).min(1) });
const manifest = z.object({ layers: z.array(descriptor).min(1) });

/** The OCI image layout somewhere below `directory`: the directory that holds the file `oci-layout`. image-layout.md. */
function findLayout(directory: string): string | undefined {
  if (existsSync(join(directory, 'oci-layout'))) return directory;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const found = entry.isDirectory() ? findLayout(join(directory, entry.name)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Unpack the first image of the engine's store into `directory`. @throws Error if the store is not an OCI image layout. */
export async function unpackHostbox(skiff: Skiff, directory: string): Promise<string> {
  const layout = findLayout(join(skiff.root, 'images'));
  if (layout === undefined) throw new Error(`no OCI image layout below ${skiff.root}/images`);
  const blob = (digest: string): string => join(layout, 'blobs', ...digest.split(':'));
  const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
  const image = index.parse(read(join(layout, 'index.json'))).manifests[0]!;
  const rootfs = join(directory, 'rootfs');
  mkdirSync(rootfs);
  for (const layer of manifest.parse(read(blob(image.digest))).layers) {
    await run('tar', ['-xf', blob(layer.digest), '-C', rootfs]);
  }
  return rootfs;
}
