/** What a stage has come to after each of its steps: an image that is not written yet. */

import * as z from 'zod';
import type { Settings } from '#contract/build';
import { hostPlatform, type Platform } from '../commit.ts';
import { type Digest, digestOf } from '../digest.ts';
import {
  DOCKER_MEDIA_TYPE,
  type Execution,
  type History,
  type ImageConfig,
  type LayerDescriptor,
  MEDIA_TYPE,
} from '../documents.ts';
import type { ImageRecord, Images } from '../images.ts';

/** A layer with where its blob is. */
export interface StateLayer {
  descriptor: LayerDescriptor;
  diffId: Digest;
}

export interface State {
  /** What the next step's result is found by; it stands for all steps so far. */
  key: string;
  platform: Platform;
  author?: string;
  /** RFC 3339, of the last step. */
  created: string;
  execution: Execution & Settings;
  layers: StateLayer[];
  history: History[];
  /** What the files of the last step are dated: milliseconds since the epoch, whole seconds. */
  time: number;
  /** Whether this stage has had a CMD of its own. */
  ownCommand: boolean;
}

const SCRATCH = 'scratch';

/** The beginning of a stage. @param platform what FROM or the user asked for; undefined leaves it to the image or the host */
export function stateOf(image: ImageRecord | undefined, platform: Platform | undefined): State {
  if (!image)
    return {
      key: SCRATCH,
      platform: platform ?? hostPlatform(),
      created: '1970-01-01T00:00:00.000Z',
      execution: {},
      layers: [],
      history: [],
      time: 0,
      ownCommand: false,
    };
  const { architecture, os, variant, author, history, rootfs, config } = image.config;
  return {
    key: image.id,
    platform: { architecture, os, ...(variant !== undefined && { variant }) },
    ...(author !== undefined && { author }),
    created: image.created,
    execution: executionOf(config ?? {}),
    layers: rootfs.diff_ids.map((diffId, index) => ({ diffId, descriptor: image.layers[index]! })),
    history: history ?? [],
    time: Math.floor((Date.parse(image.created) || 0) / 1000) * 1000,
    ownCommand: false,
  };
}

/** Docker's own fields are not of the image specification, so an image may hold anything there. */
function executionOf({ Shell, OnBuild, ...execution }: Execution): State['execution'] {
  const shell = Words.safeParse(Shell).data;
  const triggers = Words.safeParse(OnBuild).data;
  return {
    ...(execution as State['execution']),
    ...(shell && shell.length > 0 && { Shell: shell }),
    ...(triggers && { OnBuild: triggers }),
  };
}

const Words = z.array(z.string().max(1024 * 1024)).max(10_000);

/** OCI image-spec, config.md. */
export function configOf({ platform, author, created, execution, layers, history }: State): ImageConfig {
  const { os, architecture, variant } = platform;
  return {
    created,
    ...(author !== undefined && { author }),
    architecture,
    os,
    ...(variant !== undefined && { variant }),
    config: execution,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history,
  };
}

/** The configuration as it is written: with sorted keys, so that equal ones have one digest however they were made. */
function textOf(state: State): string {
  return JSON.stringify(sorted(configOf(state)));
}

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

/** The id of the image that it would be. */
export function idOf(state: State): Digest {
  return digestOf(textOf(state));
}

const OCI_TYPE: Partial<Record<string, LayerDescriptor['mediaType']>> = {
  [DOCKER_MEDIA_TYPE.layer]: MEDIA_TYPE.layer,
  [DOCKER_MEDIA_TYPE.layerGzip]: MEDIA_TYPE.layerGzip,
};

/** Make it an image. @throws BlobNotFound, InvalidReference, DiskFull */
export async function writeImage(images: Images, state: State, reference?: string): Promise<ImageRecord> {
  const config = await images.store.put(textOf(state));
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, ...config },
    layers: state.layers.map(({ descriptor: { mediaType, digest, size } }) => ({
      mediaType: OCI_TYPE[mediaType] ?? mediaType,
      digest,
      size,
    })),
  };
  const descriptor = { mediaType: MEDIA_TYPE.manifest, ...(await images.store.put(JSON.stringify(manifest))) };
  return images.add(descriptor, reference);
}
