import * as z from 'zod';
import type { Engine } from '../../container/engine.ts';
import type { Execution } from '../../image/documents.ts';
import type { ImageRecord } from '../../image/images.ts';

/** Bytes of each image, by its manifest, that are in layers which other images have too. */
export function sharedSizes(images: ImageRecord[]): Map<string, number> {
  const owners = new Map<string, Set<string>>();
  for (const { id, layers } of images)
    for (const { digest } of layers) owners.set(digest, (owners.get(digest) ?? new Set()).add(id));
  const isShared = (digest: string) => (owners.get(digest)?.size ?? 0) > 1;
  return new Map(
    images.map(({ manifest, layers }) => [
      manifest,
      layers.reduce((sum, { digest, size }) => sum + (isShared(digest) ? size : 0), 0),
    ]),
  );
}

/** Docker's ImageSummary: a row of `docker images`. */
export function imageSummary(engine: Engine, image: ImageRecord, shared?: Map<string, number>) {
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Created: Math.floor(Date.parse(image.created) / 1000),
    Size: image.size,
    SharedSize: shared?.get(image.manifest) ?? -1,
    Labels: image.config.config?.Labels ?? {},
    Containers: engine.containers.all().filter(({ record }) => record.image.id === image.id).length,
  };
}

/** What older clients add up and show; the API has it below 1.44 only. */
export function virtualSize(
  call: { speaks(version: string): boolean },
  { size }: ImageRecord,
): { VirtualSize?: number } {
  return call.speaks('1.44') ? {} : { VirtualSize: size };
}

/** Docker's addition to the image's configuration: an image may hold anything there. Durations are nanoseconds. */
const HealthConfig = z.object({
  Test: z.array(z.string()),
  Interval: z.int().optional(),
  Timeout: z.int().optional(),
  StartPeriod: z.int().optional(),
  StartInterval: z.int().optional(),
  Retries: z.int().optional(),
});

/** Docker's ImageInspect. */
export function imageInspect(image: ImageRecord) {
  const { config, author, architecture, os, variant, rootfs, history } = image.config;
  const { Healthcheck, ...execution } = (config ?? {}) as Execution & { Healthcheck?: unknown };
  const health = HealthConfig.safeParse(Healthcheck).data;
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: '',
    Comment: history?.at(-1)?.comment ?? '',
    Created: image.created,
    DockerVersion: '',
    Author: author ?? '',
    Config: {
      ...execution,
      Env: execution.Env ?? [],
      Cmd: execution.Cmd ?? [],
      Entrypoint: execution.Entrypoint ?? [],
      ...(health && { Healthcheck: health }),
    },
    Architecture: architecture,
    ...(variant !== undefined && { Variant: variant }),
    Os: os,
    Size: image.size,
    GraphDriver: { Name: 'overlay2', Data: image.lower[0] === undefined ? {} : { UpperDir: image.lower[0] } },
    RootFS: { Type: 'layers', Layers: rootfs.diff_ids },
    Metadata: {},
  };
}

/** Docker's HistoryResponseItem, newest first. The layers belong, in order, to the lines that are not said to be empty. */
export function imageHistory(image: ImageRecord) {
  const history = image.config.history ?? [];
  const sizes = image.layers.map((layer) => layer.size);
  return history
    .map(({ created, created_by, comment, empty_layer }, index) => ({
      Id: index === history.length - 1 ? image.id : '<missing>',
      Created: Math.floor(Date.parse(created ?? image.created) / 1000),
      CreatedBy: created_by ?? '',
      Tags: index === history.length - 1 ? image.repoTags : [],
      Size: empty_layer ? 0 : (sizes.shift() ?? 0),
      Comment: comment ?? '',
    }))
    .reverse();
}
