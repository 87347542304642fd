/**
 * Where a registry keeps what. Names, tags and digests are valid before they come here (names.ts).
 *
 *     oci-layout  blobs/sha256/…  blobs/sha512/…    every byte once; an OCI image layout's blobs
 *     repositories/NAME/blobs/DIGEST                an empty file: this repository has that blob
 *     repositories/NAME/manifests/DIGEST            the media type of that manifest
 *     repositories/NAME/tags/TAG                    the digest of the manifest
 *     repositories/NAME/referrers/DIGEST/DIGEST     a descriptor, under the subject's digest
 *     repositories/NAME/uploads/UUID                what has arrived
 *     scratch/                                      files on their way into one of these
 */

import { join } from 'node:path';

export class Places {
  /** The directory of the whole registry, absolute. */
  readonly root: string;
  readonly scratch: string;
  readonly repositories: string;

  constructor(root: string) {
    this.root = root;
    this.scratch = join(root, 'scratch');
    this.repositories = join(root, 'repositories');
  }

  blobs(algorithm: string): string {
    return join(this.root, 'blobs', algorithm);
  }

  blob(digest: string): string {
    const [algorithm = '', hex = ''] = digest.split(':');
    return join(this.blobs(algorithm), hex);
  }

  /** One directory for each name, whatever slashes it has: no name lies within another one. */
  repository(name: string): string {
    return join(this.repositories, name.replaceAll('/', '+'));
  }

  nameOf(directory: string): string {
    return directory.replaceAll('+', '/');
  }

  /** The directory of all entries of one kind. */
  all(kind: 'blobs' | 'manifests' | 'tags' | 'referrers' | 'uploads', name: string): string {
    return join(this.repository(name), kind);
  }

  blobLink(name: string, digest: string): string {
    return join(this.all('blobs', name), fileName(digest));
  }

  manifestLink(name: string, digest: string): string {
    return join(this.all('manifests', name), fileName(digest));
  }

  tag(name: string, tag: string): string {
    return join(this.all('tags', name), tag);
  }

  referrers(name: string, subject: string): string {
    return join(this.all('referrers', name), fileName(subject));
  }

  referrer(name: string, subject: string, digest: string): string {
    return join(this.referrers(name, subject), fileName(digest));
  }

  upload(name: string, id: string): string {
    return join(this.all('uploads', name), id);
  }
}

/** A digest as a file's name, and back. */
export function fileName(digest: string): string {
  return digest.replace(':', '-');
}

export function digestOfFile(name: string): string {
  return name.replace('-', ':');
}
