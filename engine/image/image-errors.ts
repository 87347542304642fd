/** What can be wrong with the image that somebody asked for. */

import { type Digest, shortId } from './digest.ts';

/** How many images a message names. */
const NAMED_MAX = 5;

export class ImageNotFound extends Error {
  readonly code = 'IMAGE_NOT_FOUND';
  override readonly name = 'ImageNotFound';
  readonly reference: string;

  /** @param existing names of the images that there are. */
  constructor(reference: string, existing: string[]) {
    const more = existing.length > NAMED_MAX ? `, and ${existing.length - NAMED_MAX} more` : '';
    const there =
      existing.length > 0 ? `there are ${existing.slice(0, NAMED_MAX).join(', ')}${more}` : 'there are none yet';
    super(`No such image: ${reference} (${there})`);
    this.reference = reference;
  }
}

export class AmbiguousImage extends Error {
  readonly code = 'IMAGE_AMBIGUOUS';
  override readonly name = 'AmbiguousImage';

  constructor(reference: string, ids: Digest[]) {
    super(`Several images have an ID that begins with ${reference}: ${ids.map(shortId).join(', ')}; give more digits`);
  }
}

/** An image whose documents contradict each other. */
export class InvalidImage extends Error {
  readonly code = 'IMAGE_INVALID';
  override readonly name = 'InvalidImage';
}

export class ImageConflict extends Error {
  readonly code = 'IMAGE_CONFLICT';
  override readonly name = 'ImageConflict';
}

/** An archive that holds no images, or not all of them. */
export class InvalidArchive extends Error {
  readonly code = 'ARCHIVE_INVALID';
  override readonly name = 'InvalidArchive';
}
