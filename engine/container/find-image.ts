import { ensureHelloWorld, HELLO_WORLD } from '../image/hello-world.ts';
import { HOSTBOX } from '../image/hostbox.ts';
import { ImageNotFound } from '../image/image-errors.ts';
import type { ImageRecord, Images } from '../image/images.ts';
import { displayName } from '../image/reference.ts';
import type { Engine } from './engine.ts';

/** The images that every engine can make by itself. */
const HOMEMADE: Record<string, (images: Images) => Promise<ImageRecord>> = {
  [HOSTBOX]: (images) => images.ensureHostbox(),
  [HELLO_WORLD]: ensureHelloWorld,
};

/** Whether the engine can make the image of this name by itself. */
export function isHomemade(reference: string): boolean {
  return Object.hasOwn(HOMEMADE, displayName(reference));
}

/** The image a container is to be made of. One that the engine can make by itself is made if it is missing. */
export async function findImage({ images }: Engine, reference: string): Promise<ImageRecord> {
  try {
    return await images.find(reference);
  } catch (error) {
    const make = HOMEMADE[displayName(reference)];
    if (!(error instanceof ImageNotFound) || make === undefined) throw error;
    return await make(images);
  }
}
