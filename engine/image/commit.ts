/**
 * A new image made of another: at most one more layer, another configuration, one more line of history.
 * OCI image-spec, config.md and manifest.md.
 */

import { DOCKER_MEDIA_TYPE, type Execution, type ImageConfig, type LayerDescriptor, MEDIA_TYPE } from './documents.ts';
import type { ImageRecord, Images } from './images.ts';
import type { StoredLayer } from './put-layer.ts';

export interface Platform {
  /** GOOS, GOARCH and GOARM as Go spells them, e.g. `linux`, `arm64`, `v8`. */
  os: string;
  architecture: string;
  variant?: string;
}

export interface Commit {
  /** What it is made of; undefined for an image from scratch. */
  parent: ImageRecord | undefined;
  /** What is added on top; undefined when only the configuration changes. */
  layer: Pick<StoredLayer, 'descriptor' | 'diffId'> | undefined;
  /** What containers of it run with, as a whole: nothing is taken over from the parent. */
  execution: Execution;
  /** What did it, e.g. `/bin/sh -c make`, for the history. */
  createdBy: string;
  /** When: two images of the same parts at the same time are the same image. */
  created: Date;
  comment?: string;
  author?: string;
  /** As the parent, or as this machine, when it is not said. */
  platform?: Platform;
  /** Its name, with a tag (`latest` if none), taken from any image that has it; none leaves it without a name. */
  reference?: string;
}

/**
 * Write the image's configuration and manifest, and name it. Hold the images (`images.hold()`) from before the layer was
 * stored until this has resolved, so that nothing it is made of is swept away meanwhile.
 * @throws BlobNotFound, InvalidReference, DiskFull
 */
export async function commitImage(images: Images, commit: Commit): Promise<ImageRecord> {
  const { parent, layer } = commit;
  const config = await images.store.put(JSON.stringify(newConfig(commit)));
  const layers = [...(parent?.layers ?? []), ...(layer ? [layer.descriptor] : [])].map(
    ({ mediaType, digest, size }): LayerDescriptor => ({ mediaType: ociType(mediaType), digest, size }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, ...config },
    layers,
  };
  const descriptor = { mediaType: MEDIA_TYPE.manifest, ...(await images.store.put(JSON.stringify(manifest))) };
  return images.add(descriptor, commit.reference);
}

/** Go's names, which images are told apart by. */
const ARCHITECTURE: Partial<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** The platform that containers run on here. */
export function hostPlatform(): Platform {
  return {
    os: 'linux',
    architecture: ARCHITECTURE[process.arch] ?? process.arch,
    ...(process.arch === 'arm64' && { variant: 'v8' }),
  };
}

/** What Docker's configurations say of the container that an image was made in, which is not this one's. */
const OF_THE_CONTAINER = [
  'id',
  'parent',
  'container',
  'container_config',
  'docker_version',
  'moby.buildkit.buildinfo.v1',
];

function newConfig({ parent, layer, execution, createdBy, created, comment, author, platform }: Commit): ImageConfig {
  const at = created.toISOString();
  const kept = Object.entries(parent?.config ?? {}).filter(([name]) => !OF_THE_CONTAINER.includes(name));
  const { variant: _, ...rest } = Object.fromEntries(kept) as Partial<ImageConfig>;
  const { os, architecture, variant } = platform ?? parent?.config ?? hostPlatform();
  return {
    ...rest,
    created: at,
    ...(author !== undefined && author !== '' && { author }),
    architecture,
    os,
    ...(variant !== undefined && { variant }),
    config: execution,
    rootfs: {
      type: 'layers',
      diff_ids: [...(parent?.config.rootfs.diff_ids ?? []), ...(layer ? [layer.diffId] : [])],
    },
    history: [
      ...(parent?.config.history ?? []),
      {
        created: at,
        ...(createdBy !== '' && { created_by: createdBy }),
        ...(author !== undefined && author !== '' && { author }),
        ...(comment !== undefined && comment !== '' && { comment }),
        ...(layer === undefined && { empty_layer: true }),
      },
    ],
  };
}

const OCI_TYPE: Partial<Record<string, LayerDescriptor['mediaType']>> = {
  [DOCKER_MEDIA_TYPE.layer]: MEDIA_TYPE.layer,
  [DOCKER_MEDIA_TYPE.layerGzip]: MEDIA_TYPE.layerGzip,
};

/** An OCI manifest does not mix with Docker's names for the same things. */
function ociType(mediaType: LayerDescriptor['mediaType']): LayerDescriptor['mediaType'] {
  return OCI_TYPE[mediaType] ?? mediaType;
}
