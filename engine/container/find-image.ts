import { HOSTBOX } from '../image/hostbox.ts';
import { ImageNotFound } from '../image/image-errors.ts';
import type { ImageRecord } from '../image/images.ts';
import { familiarReference, parseReference, withDefaultTag } from '../image/reference.ts';
import type { Engine } from './engine.ts';

/** The image a container is to be made of. The one image that every engine can make by itself is made if it is missing. */
export async function findImage({ images }: Engine, reference: string): Promise<ImageRecord> {
  try {
    return await images.find(reference);
  } catch (error) {
    if (!(error instanceof ImageNotFound) || !namesHostbox(reference)) throw error;
    return await images.ensureHostbox();
  }
}

function namesHostbox(reference: string): boolean {
  try {
    return familiarReference(withDefaultTag(parseReference(reference))) === HOSTBOX;
  } catch {
    return false;
  }
}
