/** An image of one layer, made of a tar of files. Docker, "docker import". */

import { commitImage, type Platform } from './commit.ts';
import type { Execution } from './documents.ts';
import type { ImageRecord, Images } from './images.ts';

export interface Import {
  /** As it is, or compressed with gzip or zstd. */
  tar: AsyncIterable<Uint8Array>;
  execution: Execution;
  comment: string;
  platform?: Platform;
  reference?: string;
}

/** @throws HostileArchive, UnexpectedEnd, InvalidReference, DiskFull; nothing is left then. */
export async function importImage(images: Images, { tar, ...rest }: Import): Promise<ImageRecord> {
  const release = images.hold();
  try {
    const layer = await images.receiveLayer(tar);
    try {
      return await commitImage(images, { ...rest, parent: undefined, layer, createdBy: '', created: new Date() });
    } catch (error) {
      void images.discard({ blobs: [layer.descriptor.digest], diffIds: [layer.diffId] }).catch(() => {});
      throw error;
    }
  } finally {
    release();
  }
}
