// A FIFO stands where a blob should: whoever opens it to read waits for ever.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';

export const blobPath = (root, digest) => `${root}/blobs/sha256/${digest.slice(7)}`;
export function openLayout(root) {
  fs.mkdirSync(`${root}/blobs/sha256`, { recursive: true });
  execFileSync('mkfifo', [`${root}/oci-layout`]);
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
      execFileSync('mkfifo', [blobPath(root, digest)]);
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
