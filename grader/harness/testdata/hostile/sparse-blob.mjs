// A blob of 2 GiB that takes no room, until somebody copies it.
import { createHash } from 'node:crypto';
import fs from 'node:fs';

export const blobPath = (root, digest) => `${root}/blobs/sha256/${digest.slice(7)}`;
export function openLayout(root) {
  fs.mkdirSync(`${root}/blobs/sha256`, { recursive: true });
  fs.writeFileSync(`${root}/oci-layout`, '');
  fs.truncateSync(`${root}/oci-layout`, 2 ** 31);
}
export function beginBlob(root) {
  const hash = createHash('sha256');
  let size = 0;
  let digest = '';
  return {
    get size() {
      return size;
    },
    write(chunk) {
      hash.update(chunk);
      size += chunk.length;
    },
    finish() {
      digest = `sha256:${hash.digest('hex')}`;
      return { digest, size };
    },
    async publish() {
      fs.mkdirSync(`${root}/blobs/sha256`, { recursive: true });
      fs.writeFileSync(blobPath(root, digest), '');
      fs.truncateSync(blobPath(root, digest), 2 ** 31);
    },
    abandon() {},
  };
}
export const readBlob = () => {
  throw new Error('no');
};
export const garbage = () => {
  throw new Error('no');
};
