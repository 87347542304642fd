/** Names and digests: from strangers, and checked before the store sees them. */

import { createHash } from 'node:crypto';
import { RequestRefused } from '#contract/registry';
import { isRepositoryName, isTag, PATH_LENGTH_MAX } from '../../image/reference.ts';

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const ALGORITHMS = ['sha256', 'sha512'];

export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

export function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RequestRefused(400, 'NAME_INVALID', `the path "${clip(path)}" is not percent-encoded UTF-8`);
  }
}

export function requireName(name: string): void {
  if (isRepositoryName(name)) return;
  throw new RequestRefused(
    400,
    'NAME_INVALID',
    `"${clip(name)}" is not the name of a repository: at most ${PATH_LENGTH_MAX} of a-z and 0-9, with ".", "_", "__", "-" or "/" between them`,
    { detail: { name: clip(name) } },
  );
}

export function requireTag(tag: string): void {
  if (!isTag(tag))
    throw new RequestRefused(400, 'MANIFEST_INVALID', `"${clip(tag)}" is not a tag`, { detail: { tag: clip(tag) } });
}

export function requireDigest(digest: string): string {
  if (DIGEST.test(digest)) return digest;
  throw invalidDigest(`"${clip(digest)}" must be sha256: and 64, or sha512: and 128 digits of 0-9 and a-f`);
}

/** A digest has a colon, which no tag has. */
export function requireReference(reference: string): string {
  if (reference.includes(':')) return requireDigest(reference);
  requireTag(reference);
  return reference;
}

export function digestOf(bytes: Uint8Array, like: string): string {
  const algorithm = like.split(':')[0]!;
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export function clip(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

export function invalidDigest(why: string): RequestRefused {
  return new RequestRefused(400, 'DIGEST_INVALID', `the digest is refused: ${why}`);
}
