/** The image that a build begins with: one that is here, or one that its registry has. */

import { isForPlatform } from '../image/build/build-image.ts';
import type { Platform } from '../image/commit.ts';
import { ImageNotFound } from '../image/image-errors.ts';
import type { ImageRecord } from '../image/images.ts';
import { parseReference, type Reference, withDefaultTag } from '../image/reference.ts';
import type { Engine } from './engine.ts';
import { findImage, isHomemade } from './find-image.ts';

/** Fetches an image from its registry. @throws RegistryError */
export type Pull = (reference: Reference, platform: Platform | undefined) => Promise<ImageRecord>;

interface Wanted {
  platform: Platform | undefined;
  /** Ask the registry even if it is here. What the engine makes by itself is in no registry. */
  always: boolean;
  pull: Pull;
}

/** @throws ImageNotFound, InvalidReference, RegistryError */
export async function baseImage(
  engine: Engine,
  reference: string,
  { platform, always, pull }: Wanted,
): Promise<ImageRecord> {
  if (always && !isHomemade(reference)) return await pull(withDefaultTag(parseReference(reference)), platform);
  const found = await findImage(engine, reference).catch((error) => {
    if (!(error instanceof ImageNotFound)) throw error;
    return undefined;
  });
  if (found && (!platform || isForPlatform(found, platform) || isHomemade(reference))) return found;
  return await pull(withDefaultTag(parseReference(reference)), platform);
}
