/** Images out of an archive: Docker's, old and new, and OCI's, as docker, podman, buildah, skopeo and others write them. */

import { CONTAINERD_NAME, DockerManifest, Index, type IndexDescriptor, isIndex } from './archive-documents.ts';
import { ArchiveFiles, compressionOfBlob } from './archive-files.ts';
import { hostPlatform } from './commit.ts';
import type { Compression } from './compression.ts';
import { type Digest, hexOf } from './digest.ts';
import {
  type Descriptor,
  ImageConfig,
  type LayerDescriptor,
  Manifest,
  MEDIA_TYPE,
  parseDocument,
  REF_NAME,
} from './documents.ts';
import { InvalidArchive } from './image-errors.ts';
import type { ImageRecord, Images } from './images.ts';
import { LEGACY_INDEX, legacyImages } from './load-legacy.ts';
import { familiarReference, formatReference, parseReference, withDefaultTag } from './reference.ts';
import type { Blob } from './store.ts';

export interface Loaded {
  image: ImageRecord;
  /** Its familiar names in the archive; empty when it has none there. */
  names: string[];
}

/** An image of the archive whose manifest is in the store. */
interface Found {
  descriptor: Descriptor;
  names: string[];
}

/**
 * Take all images of the archive, or none: what is not a whole archive of sound images leaves nothing behind. Names are
 * taken from images that have them. Layers are unpacked, so what is loaded can run.
 * @param layerDone told of each layer that is unpacked, by its diffID, with the bytes of its blob.
 * @throws InvalidArchive, InvalidDocument, InvalidImage, InvalidReference, HostileArchive, BlobCorrupt, DiskFull
 */
export async function loadArchive(
  images: Images,
  source: AsyncIterable<Uint8Array>,
  layerDone: (diffId: Digest, size: number) => void = () => {},
): Promise<Loaded[]> {
  const release = images.hold();
  const files = new ArchiveFiles(images);
  try {
    await files.read(source);
    const found = await imagesIn(files, images);
    for (const { descriptor } of found)
      await images.unpack(descriptor.digest, (diffId, size) => {
        files.unpacked.add(diffId);
        layerDone(diffId, size);
      });
    const loaded: Loaded[] = [];
    for (const { descriptor, names } of found) {
      let image = await images.add(descriptor);
      for (const name of names) image = await images.add(descriptor, name);
      loaded.push({ image, names: names.map((name) => familiarReference(parseReference(name))) });
    }
    return loaded;
  } finally {
    release();
    await images.discard({ blobs: files.stored, diffIds: files.unpacked });
  }
}

async function imagesIn(files: ArchiveFiles, images: Images): Promise<Found[]> {
  if (files.has('manifest.json')) return dockerImages(files, images);
  if (files.has('index.json')) return ociImages(files);
  if (files.has(LEGACY_INDEX)) {
    const found: Found[] = [];
    for (const { names, config, layers } of await legacyImages(files, images))
      found.push({ names, descriptor: await writeManifest(files, images, config, layers) });
    return found;
  }
  throw new InvalidArchive(
    'this is not an archive of images: it has neither manifest.json, index.json nor repositories. A tar of files becomes an image with import',
  );
}

async function dockerImages(files: ArchiveFiles, images: Images): Promise<Found[]> {
  const listed = parseDocument(DockerManifest, await files.document('manifest.json'), 'manifest.json');
  const originals = await manifestsByConfig(files);
  const found: Found[] = [];
  for (const { Config, Layers, RepoTags } of listed) {
    const names = (RepoTags ?? []).map(completeName);
    const config = await files.blob(Config);
    const original = originals.get(config.digest);
    const descriptor = original ? await storeManifest(files, original) : undefined;
    found.push({ names, descriptor: descriptor ?? (await newManifest(files, images, Config, Layers ?? [])) });
  }
  return found;
}

/** The manifests that stand beside manifest.json, so that an image keeps its digest. */
async function manifestsByConfig(files: ArchiveFiles): Promise<Map<Digest, IndexDescriptor>> {
  const manifests = new Map<Digest, IndexDescriptor>();
  if (!files.has('index.json')) return manifests;
  for (const descriptor of await manifestsIn(files, 'index.json')) {
    const { config, layers } = await manifestOf(files, descriptor);
    if (layers.every((layer) => files.has(blobPath(layer.digest)))) manifests.set(config.digest, descriptor);
  }
  return manifests;
}

/** A manifest for an image of which the archive has only configuration and layers. */
async function newManifest(
  files: ArchiveFiles,
  images: Images,
  configPath: string,
  paths: string[],
): Promise<Descriptor> {
  const config = parseDocument(ImageConfig, await files.document(configPath), `image configuration ${configPath}`);
  const named = config.rootfs.diff_ids.length;
  if (named !== paths.length)
    throw new InvalidArchive(
      `the archive contradicts itself: its image ${configPath} has ${paths.length} layers, and its configuration names ${named}`,
    );
  const layers: LayerDescriptor[] = [];
  for (const path of paths) {
    const blob = await files.layer(path);
    const mediaType = LAYER_TYPE[await compressionOfBlob(images, blob.digest)];
    if (mediaType === undefined)
      throw new InvalidArchive(
        `the layer ${path} is compressed in a way that layers have no name for; use gzip or zstd`,
      );
    layers.push({ mediaType, ...blob });
  }
  return writeManifest(files, images, await files.blob(configPath), layers);
}

async function writeManifest(
  files: ArchiveFiles,
  images: Images,
  config: Blob,
  layers: LayerDescriptor[],
): Promise<Descriptor> {
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, digest: config.digest, size: config.size },
    layers,
  };
  const blob = await images.store.put(JSON.stringify(manifest));
  files.stored.add(blob.digest);
  return { mediaType: MEDIA_TYPE.manifest, ...blob };
}

const LAYER_TYPE: Partial<Record<Compression, LayerDescriptor['mediaType']>> = {
  none: MEDIA_TYPE.layer,
  gzip: MEDIA_TYPE.layerGzip,
  zstd: MEDIA_TYPE.layerZstd,
};

async function ociImages(files: ArchiveFiles): Promise<Found[]> {
  const found = new Map<Digest, Found>();
  for (const descriptor of await manifestsIn(files, 'index.json')) {
    const known = found.get(descriptor.digest) ?? { descriptor: await storeManifest(files, descriptor), names: [] };
    found.set(descriptor.digest, known);
    const name = nameIn(descriptor.annotations ?? {});
    if (name !== undefined && !known.names.includes(name)) known.names.push(name);
  }
  if (found.size === 0) throw new InvalidArchive('the archive has no image in it that this machine could run');
  return [...found.values()];
}

/**
 * The manifests of images in an index. Of an index inside of it, which stands for one image on several platforms, the
 * one for this machine, under the name that the whole has.
 */
async function manifestsIn(
  files: ArchiveFiles,
  path: string,
  inherited?: Record<string, string>,
): Promise<IndexDescriptor[]> {
  const index = parseDocument(Index, await files.document(path), path);
  const manifests: IndexDescriptor[] = [];
  for (const descriptor of index.manifests) {
    const annotations = { ...descriptor.annotations, ...inherited };
    // Proofs of how an image was built stand in the index as if they were images.
    if (annotations['vnd.docker.reference.type'] !== undefined) continue;
    const inside = blobPath(descriptor.digest);
    if (!isIndex(descriptor)) manifests.push({ ...descriptor, annotations });
    else if (inherited === undefined) manifests.push(...(await manifestsIn(files, inside, annotations)));
    else throw new InvalidArchive(`the archive nests its indexes too deeply, at ${descriptor.digest}`);
  }
  if (inherited === undefined) return manifests;
  const { os, architecture } = hostPlatform();
  const fits = manifests.filter(
    ({ platform, digest }) =>
      (!platform || (platform.os === os && platform.architecture === architecture)) && files.has(blobPath(digest)),
  );
  return fits.slice(0, 1);
}

async function manifestOf(files: ArchiveFiles, { digest }: Descriptor): Promise<Manifest> {
  return parseDocument(Manifest, await files.document(blobPath(digest)), `manifest ${digest}`);
}

/** Put the manifest and what it names in the store. */
async function storeManifest(files: ArchiveFiles, { mediaType, digest, size }: Descriptor): Promise<Descriptor> {
  const { config, layers } = await manifestOf(files, { mediaType, digest, size });
  for (const blob of [digest, config.digest, ...layers.map((layer) => layer.digest)]) await files.blob(blobPath(blob));
  return { mediaType, digest, size };
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** The specification's annotation may hold a tag alone, which is not a name by itself. */
function nameIn(annotations: Record<string, string>): string | undefined {
  const name = annotations[CONTAINERD_NAME] ?? annotations[REF_NAME];
  return name !== undefined && /[/:]/.test(name) ? completeName(name) : undefined;
}

function completeName(name: string): string {
  return formatReference(withDefaultTag(parseReference(name)));
}
