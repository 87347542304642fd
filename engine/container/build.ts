/** Builds, as the API asks for them: an archive becomes an image, and nothing else is left. */

import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { buildImage } from '../image/build/build-image.ts';
import { applyIgnore, unpackContext } from '../image/build/context.ts';
import type { BuildOptions } from '../image/build/options.ts';
import { remoteContext } from '../image/build/remote-context.ts';
import type { ImageRecord } from '../image/images.ts';
import { baseImage, type Pull } from './base-image.ts';
import { commandRunner, type RunLimits } from './build-run.ts';
import type { Engine } from './engine.ts';

export interface BuildRequest {
  /** A tar, gzip or zstd or none; undefined for a context that has only a Dockerfile, in `options.dockerfileText`. */
  context: AsyncIterable<Uint8Array> | undefined;
  /** A URL that the context is fetched from instead: a tar, or a Dockerfile that needs none. */
  remote?: string;
  options: BuildOptions;
  limits: RunLimits;
  /** Ask registries for what FROM names even if it is here. */
  alwaysPull: boolean;
  /** Fetches an image from its registry. */
  pull: Pull;
  onOutput(text: string): void;
  /** Told of the image before it gets its names. */
  onImage?(id: string): void;
  /** Ends the build, which leaves nothing. */
  signal: AbortSignal;
}

/** @throws BuildError, HostileArchive, UnexpectedEnd, InvalidReference, DiskFull, or the reason of the abort */
export async function build(
  engine: Engine,
  { context, remote, options, limits, alwaysPull, pull, onOutput, onImage, signal }: BuildRequest,
): Promise<ImageRecord> {
  const scratch = path.join(engine.root.builds, randomUUID());
  mkdirSync(scratch, { mode: 0o700 });
  const release = engine.images.hold();
  try {
    const directory = path.join(scratch, 'context');
    const fetched = remote === undefined ? undefined : await remoteContext(remote, signal);
    const archive = fetched && 'archive' in fetched ? fetched.archive : fetched ? nothing() : (context ?? nothing());
    const unpacked = await unpackContext(archive, directory);
    signal.throwIfAborted();
    // Read first, for it may name itself among what is ignored.
    const ownText = fetched && 'dockerfile' in fetched ? fetched.dockerfile : options.dockerfileText;
    const dockerfileText = ownText ?? unpacked.text(options.dockerfile);
    await applyIgnore(unpacked, directory, options.dockerfile);
    const image = await buildImage(
      {
        images: engine.images,
        cache: engine.buildCache,
        cacheMounts: engine.root.cacheMounts,
        scratch,
        context: unpacked,
        run: commandRunner(engine, limits),
        findImage: (reference, platform) => baseImage(engine, reference, { platform, always: alwaysPull, pull }),
        onOutput,
        ...(onImage && { onImage }),
        signal,
      },
      { ...options, ...(dockerfileText !== undefined && { dockerfileText }) },
    );
    engine.events.emit('image', 'build', image.id, { name: image.repoTags[0] ?? image.id });
    return image;
  } finally {
    release();
    engine.trash.discard(scratch);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(1024);
}
