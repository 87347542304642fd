/** Worked solution of lab `store`. See NOTES.md. */

import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Blob, BlobCorrupt, BlobNotFound, type BlobWriter } from '#contract/store';

const DIGEST = /^sha256:([0-9a-f]{64})$/;

export function blobPath(root: string, digest: string): string {
  const hex = DIGEST.exec(digest)?.[1];
  if (hex === undefined) throw new Error(`${JSON.stringify(digest)} is not a digest of sha256.`);
  return join(root, 'blobs', 'sha256', hex);
}

/** Where unfinished blobs are: `PID-RANDOM`. */
const unfinished = (root: string) => join(root, 'unfinished');

export function openLayout(root: string): void {
  mkdirSync(join(root, 'blobs', 'sha256'), { recursive: true });
  mkdirSync(unfinished(root), { recursive: true });
  const marker = join(root, 'oci-layout');
  if (!existsSync(marker)) writeFileSync(marker, JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const { imageLayoutVersion } = JSON.parse(readFileSync(marker, 'utf8')) as { imageLayoutVersion?: string };
  if (imageLayoutVersion !== '1.0.0') throw new Error(`${root} is a layout of version ${imageLayoutVersion}.`);
  for (const name of readdirSync(unfinished(root)))
    if (!existsSync(`/proc/${name.split('-')[0]}`)) rmSync(join(unfinished(root), name));
}

export function beginBlob(root: string): BlobWriter {
  const path = join(unfinished(root), `${process.pid}-${randomBytes(8).toString('hex')}`);
  const hash = createHash('sha256');
  let fd: number | undefined = openSync(path, 'wx');
  let size = 0;
  let digest: string | undefined;
  const close = () => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  const finish = (expected: Partial<Blob> = {}): Blob => {
    digest ??= `sha256:${hash.digest('hex')}`;
    if (expected.size !== undefined && expected.size !== size)
      throw new BlobCorrupt(`${expected.size} bytes were expected, and ${size} came.`);
    if (expected.digest !== undefined && expected.digest !== digest)
      throw new BlobCorrupt(`${expected.digest} was expected, and ${digest} came.`);
    return { digest, size };
  };
  return {
    get size() {
      return size;
    },
    write(chunk) {
      hash.update(chunk);
      for (let done = 0; done < chunk.length; ) done += writeSync(fd!, chunk, done, chunk.length - done);
      size += chunk.length;
    },
    finish,
    async publish() {
      fdatasyncSync(fd!);
      renameSync(path, blobPath(root, finish().digest));
      close();
    },
    abandon() {
      close();
      rmSync(path, { force: true });
    },
  };
}

export async function readBlob(root: string, digest: string, most: number): Promise<Uint8Array> {
  const file = await open(blobPath(root, digest)).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new BlobNotFound(`${digest} is not in ${root}.`) : error;
  });
  try {
    const { size } = await file.stat();
    if (size > most) throw new BlobCorrupt(`${digest} has ${size} bytes, and at most ${most} were expected.`);
    const bytes = await file.readFile();
    const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (found !== digest) throw new BlobCorrupt(`The bytes of ${digest} are those of ${found}.`);
    return bytes;
  } finally {
    await file.close();
  }
}

export function garbage(present: string[], roots: string[], read: (digest: string) => Uint8Array): string[] {
  const there = new Set(present);
  const reached = new Set<string>();
  const followed = new Set<string>();
  const visit = (digest: string): void => {
    if (followed.has(digest)) return;
    followed.add(digest);
    reached.add(digest);
    const document = JSON.parse(Buffer.from(read(digest)).toString()) as Document;
    if (document.config) reached.add(document.config.digest);
    for (const layer of document.layers ?? []) reached.add(layer.digest);
    for (const manifest of document.manifests ?? []) if (there.has(manifest.digest)) visit(manifest.digest);
  };
  for (const root of roots) visit(root);
  return present.filter((digest) => !reached.has(digest));
}

interface Document {
  config?: { digest: string };
  layers?: { digest: string }[];
  manifests?: { digest: string }[];
}
