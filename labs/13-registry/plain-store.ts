/**
 * A store for registries, as plain as it can be: a name becomes a path as it is. A registry that hands it an unchecked name
 * writes where that name says. The judge keeps your registry's things here, and so does serve.ts.
 *
 *     ROOT/blobs/DIGEST                        every byte once
 *     ROOT/repositories/NAME/_blobs/DIGEST     an empty file: this repository has that blob
 *     ROOT/repositories/NAME/_manifests/DIGEST the media type of that manifest
 *     ROOT/repositories/NAME/_tags/TAG         the digest of the manifest
 *     ROOT/repositories/NAME/_uploads/UUID     what has arrived
 *     ROOT/repositories/NAME/_referrers/…      a descriptor, under the subject's digest
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Needed, NewManifest, Referrer, RegistryStore, StoredManifest, Upload } from '#contract/registry';

type Kind = '_blobs' | '_manifests' | '_tags' | '_uploads' | '_referrers';

/** Bytes. */
const PIECE = 65_536;

export class PlainStore implements RegistryStore {
  readonly root: string;
  /** The last caller of each upload. */
  readonly #queues = new Map<string, Promise<unknown>>();
  /** The uploads that the code that runs has for itself. */
  readonly #held = new AsyncLocalStorage<string[]>();

  constructor(root: string) {
    this.root = root;
    fs.mkdirSync(path.join(root, 'repositories'), { recursive: true });
  }

  repositories(): string[] {
    const folder = path.join(this.root, 'repositories');
    const all = fs.readdirSync(folder, { recursive: true }) as string[];
    const names = all.filter((name) => /\/_(blobs|manifests)$/.test(name)).map((name) => path.dirname(name));
    return [...new Set(names)].filter((name) => this.hasRepository(name)).sort();
  }

  hasRepository(repository: string): boolean {
    return this.#names(repository, '_blobs').length + this.#names(repository, '_manifests').length > 0;
  }

  blobSize(repository: string, digest: string): number | undefined {
    if (textOf(this.#place(repository, '_blobs', digest)) === undefined) return undefined;
    return fs.statSync(this.#blob(digest), { throwIfNoEntry: false })?.size;
  }

  async *readBlob(digest: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    const file = await fs.promises.open(this.#blob(digest));
    try {
      for (let at = start; at < end; ) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(PIECE, end - at)), 0, null, at);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  }

  mountBlob(digest: string, from: string, to: string): boolean {
    if (this.blobSize(from, digest) === undefined) return false;
    write(this.#place(to, '_blobs', digest), '');
    return true;
  }

  deleteBlob(repository: string, digest: string): boolean {
    return removed(this.#place(repository, '_blobs', digest));
  }

  beginUpload(repository: string, _algorithm: string): string {
    const id = randomUUID();
    write(this.#place(repository, '_uploads', id), '');
    return id;
  }

  uploadSize(repository: string, id: string): number | undefined {
    return fs.statSync(this.#place(repository, '_uploads', id), { throwIfNoEntry: false })?.size;
  }

  async withUpload<T>(repository: string, id: string, use: (upload: Upload) => Promise<T>): Promise<T | undefined> {
    const file = this.#place(repository, '_uploads', id);
    const held = this.#held.getStore() ?? [];
    if (held.includes(file))
      throw new Error(
        `withUpload was called inside of withUpload for the same upload, ${id}: it would wait for itself.`,
      );
    const turn = (this.#queues.get(file) ?? Promise.resolve()).then(async () => {
      if (this.uploadSize(repository, id) === undefined) return undefined;
      return await this.#held.run([...held, file], use, this.#upload(repository, file));
    });
    this.#queues.set(
      file,
      turn.catch(() => {}),
    );
    return await turn;
  }

  #upload(repository: string, file: string): Upload {
    return {
      get size() {
        return fs.statSync(file).size;
      },
      append: (chunk) => fs.appendFileSync(file, chunk),
      finish: async (digest) => {
        const isIts = digestOf(fs.readFileSync(file)) === digest;
        if (isIts) {
          fs.mkdirSync(path.join(this.root, 'blobs'), { recursive: true });
          fs.renameSync(file, this.#blob(digest));
          write(this.#place(repository, '_blobs', digest), '');
        } else fs.rmSync(file);
        return isIts;
      },
      cancel: () => fs.rmSync(file, { force: true }),
    };
  }

  manifest(repository: string, reference: string): StoredManifest | undefined {
    const digest = reference.includes(':') ? reference : textOf(this.#place(repository, '_tags', reference));
    const mediaType = digest && textOf(this.#place(repository, '_manifests', digest));
    return digest && mediaType ? { digest, mediaType, bytes: fs.readFileSync(this.#blob(digest)) } : undefined;
  }

  async putManifest(repository: string, manifest: NewManifest): Promise<Needed[]> {
    const { digest, mediaType, bytes, tags, needs, subject } = manifest;
    const missing = needs.filter((need) => this.#sizeOf(repository, need) !== need.size);
    if (missing.length > 0) return missing;
    write(this.#blob(digest), bytes);
    write(this.#place(repository, '_manifests', digest), mediaType);
    if (subject !== undefined)
      write(path.join(this.#place(repository, '_referrers', subject.digest), digest), JSON.stringify(subject.referrer));
    for (const tag of tags) write(this.#place(repository, '_tags', tag), digest);
    return [];
  }

  #sizeOf(repository: string, { digest, kind }: Needed): number | undefined {
    return kind === 'blob' ? this.blobSize(repository, digest) : this.manifest(repository, digest)?.bytes.length;
  }

  deleteManifest(repository: string, digest: string): boolean {
    for (const tag of this.tags(repository))
      if (textOf(this.#place(repository, '_tags', tag)) === digest) this.deleteTag(repository, tag);
    return removed(this.#place(repository, '_manifests', digest));
  }

  deleteTag(repository: string, tag: string): boolean {
    return removed(this.#place(repository, '_tags', tag));
  }

  tags(repository: string): string[] {
    return this.#names(repository, '_tags');
  }

  async *referrers(repository: string, subject: string, after: string): AsyncGenerator<Referrer> {
    const folder = this.#place(repository, '_referrers', subject);
    for (const digest of namesIn(folder).filter((name) => name > after)) {
      if (this.manifest(repository, digest) === undefined) continue;
      yield JSON.parse(fs.readFileSync(path.join(folder, digest), 'utf8')) as Referrer;
    }
  }

  #blob(digest: string): string {
    return path.join(this.root, 'blobs', digest);
  }

  #place(repository: string, kind: Kind, name: string): string {
    return path.join(this.root, 'repositories', repository, kind, name);
  }

  #names(repository: string, kind: Kind): string[] {
    return namesIn(path.join(this.root, 'repositories', repository, kind));
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function write(file: string, content: string | Uint8Array): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
}

function removed(file: string): boolean {
  const there = fs.existsSync(file);
  fs.rmSync(file, { force: true });
  return there;
}

function textOf(file: string): string | undefined {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
}

function namesIn(folder: string): string[] {
  return fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
}
