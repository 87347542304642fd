import type { Engine } from '../../container/engine.ts';
import type { ImageRecord } from '../../image/images.ts';

/** Docker's ImageSummary: a row of `docker images`. */
export function imageSummary(engine: Engine, image: ImageRecord) {
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Created: Math.floor(Date.parse(image.created) / 1000),
    Size: image.size,
    SharedSize: -1,
    Labels: image.config.config?.Labels ?? {},
    Containers: engine.containers.all().filter(({ record }) => record.image.id === image.id).length,
  };
}

/** Docker's ImageInspect. */
export function imageInspect(image: ImageRecord) {
  const { config, author, architecture, os, variant, rootfs, history } = image.config;
  const { Healthcheck: _, ...execution } = config ?? {};
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

/** Docker's HistoryResponseItem, newest first. */
export function imageHistory(image: ImageRecord) {
  const history = image.config.history ?? [];
  return history
    .map(({ created, created_by, comment }, index) => ({
      Id: index === history.length - 1 ? image.id : '<missing>',
      Created: Math.floor(Date.parse(created ?? image.created) / 1000),
      CreatedBy: created_by ?? '',
      Tags: index === history.length - 1 ? image.repoTags : [],
      Size: 0,
      Comment: comment ?? '',
    }))
    .reverse();
}
