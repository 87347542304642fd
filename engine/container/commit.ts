/** A container's changes as an image. Docker, "docker commit". */

import { applyChanges } from '../image/build/apply-changes.ts';
import { commitImage } from '../image/commit.ts';
import { type Digest, digestOf } from '../image/digest.ts';
import type { Execution } from '../image/documents.ts';
import type { ImageRecord } from '../image/images.ts';
import { displayName } from '../image/reference.ts';
import { whyNoCgroups } from '../runtime/cgroups/host.ts';
import type { ContainerConfig } from './config.ts';
import type { Container } from './container.ts';
import { type Engine, emitContainerEvent } from './engine.ts';
import { ContainerError } from './errors.ts';
import { layerOfContainer } from './files/files.ts';
import { goOn, standStill } from './pause.ts';

export interface CommitRequest {
  /** Without it the image has no name. */
  reference?: string;
  author: string;
  comment: string;
  /** Whether a running container stands still meanwhile, so that its files are those of one moment. */
  pause: boolean;
  /** What counts more than what the container runs with, as far as it says anything. */
  config: ContainerConfig;
  /** Instructions of a Dockerfile. */
  changes: string[];
}

/** A tar of nothing: two blocks of zeros. Such a layer is left out. */
const EMPTY_TAR: Digest = digestOf(Buffer.alloc(1024));

/** @throws ContainerError, InvalidBuild, InvalidReference, DiskFull; nothing is left then. */
export async function commitContainer(
  engine: Engine,
  container: Container,
  { reference, author, comment, pause, config, changes }: CommitRequest,
): Promise<ImageRecord> {
  const { images } = engine;
  const { record } = container;
  const parent = await images.find(record.image.id);
  const execution = applyChanges(
    executionOf(merged(config, container.record.config), parent.config.config ?? {}),
    changes,
  );
  const unpin = images.pin(parent);
  const release = images.hold();
  const leftovers: { blobs: Digest[]; diffIds: Digest[] } = { blobs: [], diffIds: [] };
  try {
    const stored = await standingStill(engine, container, pause, () =>
      layerOfContainer(container, (layer) => images.storeLayer(layer)),
    );
    leftovers.blobs.push(stored.descriptor.digest);
    leftovers.diffIds.push(stored.diffId);
    const image = await commitImage(images, {
      parent,
      layer: stored.diffId === EMPTY_TAR ? undefined : stored,
      execution,
      createdBy: record.args.join(' '),
      created: new Date(),
      author,
      comment,
      ...(reference !== undefined && { reference }),
    });
    emitContainerEvent(engine, container, 'commit', {
      comment,
      imageID: image.id,
      ...(reference !== undefined && { imageRef: displayName(reference) }),
    });
    return image;
  } finally {
    unpin();
    release();
    // What the image refers to is kept.
    void images.discard(leftovers).catch(() => {});
  }
}

/** While it is held up nobody starts, stops or removes it. A daemon that is killed meanwhile lets it go on when it is back. */
async function standingStill<T>(
  engine: Engine,
  container: Container,
  pause: boolean,
  work: () => Promise<T>,
): Promise<T> {
  return await container.lock.run(async () => {
    const { status, name } = container.record;
    if (status === 'removing' || status === 'dead')
      throw new ContainerError('conflict', `container ${name} is being removed and cannot be committed`);
    if (!container.running || container.paused || !pause) return await work();
    const why = whyNoCgroups();
    if (why !== null)
      throw new ContainerError(
        'unsupported',
        `container ${name} cannot be paused: ${why} Or commit it while it runs: --pause=false`,
      );
    const release = await standStill(engine, container);
    try {
      return await work();
    } finally {
      if (release !== null) {
        goOn(engine, container);
        release();
      }
    }
  });
}

/** As Docker merges them: a command of its own goes with an entrypoint of its own. */
function merged(given: ContainerConfig, own: ContainerConfig): ContainerConfig {
  const names = new Set(given.Env.map((entry) => entry.split('=', 1)[0]));
  const hasEntrypoint = !isEmpty(given.Entrypoint);
  return {
    ...own,
    User: given.User || own.User,
    Env: [...given.Env, ...own.Env.filter((entry) => !names.has(entry.split('=', 1)[0]!))],
    Entrypoint: hasEntrypoint ? given.Entrypoint : own.Entrypoint,
    Cmd: hasEntrypoint || !isEmpty(given.Cmd) ? given.Cmd : own.Cmd,
    WorkingDir: given.WorkingDir || own.WorkingDir,
    StopSignal: given.StopSignal || own.StopSignal,
    Labels: { ...own.Labels, ...given.Labels },
    Volumes: { ...own.Volumes, ...given.Volumes },
    ExposedPorts: { ...own.ExposedPorts, ...given.ExposedPorts },
  };
}

/** What containers of the image are to run with: as this one does. */
function executionOf(config: ContainerConfig, image: Execution): Execution {
  const { OnBuild: _, ...inherited } = image;
  const own: Execution = {
    User: config.User,
    Env: config.Env,
    Cmd: config.Cmd,
    Entrypoint: config.Entrypoint,
    WorkingDir: config.WorkingDir,
    Labels: config.Labels,
    Volumes: config.Volumes as Record<string, Record<string, never>>,
    ExposedPorts: config.ExposedPorts as Record<string, Record<string, never>>,
    StopSignal: config.StopSignal,
  };
  const said = Object.entries(own).filter(([, value]) => !isEmpty(value));
  const names = Object.keys(own);
  return {
    ...Object.fromEntries(Object.entries(inherited).filter(([name]) => !names.includes(name))),
    ...Object.fromEntries(said),
  };
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
