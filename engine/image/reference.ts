/**
 * How images are named: the grammar of distribution/reference, which the docker command follows.
 *
 *     reference  := name [ ":" tag ] [ "@" digest ]
 *     name       := [ domain "/" ] path
 *     domain     := host [ ":" port ]          has a "." or ":" or a capital, or is "localhost"
 *     path       := component { "/" component }
 *     component  := [a-z0-9]+ { ( "." | "_" | "__" | "-"+ ) [a-z0-9]+ }
 *     tag        := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 *
 * A familiar name stands for a longer one: `hostbox` for `docker.io/library/hostbox`.
 */

import { type Digest, isDigest } from './digest.ts';

export interface Reference {
  /** E.g. `docker.io` or `localhost:5000`. */
  domain: string;
  /** E.g. `library/hostbox`; at most 255 characters. */
  path: string;
  tag?: string;
  digest?: Digest;
}

export class InvalidReference extends Error {
  readonly code = 'REFERENCE_INVALID';
  override readonly name = 'InvalidReference';
}

export const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io';
const OFFICIAL_REPOSITORIES = 'library/';
const DEFAULT_TAG = 'latest';
export const PATH_LENGTH_MAX = 255;

const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const IDENTIFIER = /^[0-9a-f]{64}$/;

/**
 * Read a reference, familiar or complete. Tag and digest stay absent when they are not given.
 * @throws InvalidReference in the docker command's words, with what exactly is wrong.
 */
export function parseReference(text: string): Reference {
  if (IDENTIFIER.test(text)) {
    throw invalid(text, 'a name cannot be 64 hexadecimal digits, which is an image ID');
  }
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `"${clip(digest)}" is not a sha256 digest`);
  const { domain, remainder } = splitDomain(at === -1 ? text : text.slice(0, at));
  const colon = remainder.indexOf(':');
  const tag = colon === -1 ? undefined : remainder.slice(colon + 1);
  const path = colon === -1 ? remainder : remainder.slice(0, colon);

  if (!DOMAIN.test(domain)) throw invalid(text, `"${clip(domain)}" is not a host name`);
  if (path !== path.toLowerCase()) throw invalid(text, `repository name (${clip(path)}) must be lowercase`);
  if (!path.split('/').every((component) => COMPONENT.test(component))) {
    throw invalid(text, 'a name is made of a-z, 0-9 and single ".", "_", "-" or "/" between them');
  }
  if (path.length > PATH_LENGTH_MAX) throw invalid(text, `repository name has more than ${PATH_LENGTH_MAX} characters`);
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text, `"${clip(tag)}" is not a tag`);
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** Whether a registry may have a repository of this name. OCI distribution-spec, "Pulling manifests". */
export function isRepositoryName(path: string): boolean {
  return path.length <= PATH_LENGTH_MAX && path.split('/').every((component) => COMPONENT.test(component));
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** With `:latest` when there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference;
}

/** The complete form, e.g. `docker.io/library/hostbox:latest`. `parseReference` gives the same reference back. */
export function formatReference(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** The form for people, e.g. `hostbox:latest`. `parseReference` gives the same reference back. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/** As `familiarReference`, without tag and digest. */
export function familiarName({ domain, path }: Reference): string {
  if (domain !== DEFAULT_DOMAIN) return `${domain}/${path}`;
  const short = path.startsWith(OFFICIAL_REPOSITORIES) ? path.slice(OFFICIAL_REPOSITORIES.length) : path;
  // Only what is read back as the same name is short for it: not "a/b" for "library/a/b", nor "localhost/a".
  for (const name of [short, path]) {
    const read = splitDomain(name);
    if (read.domain === domain && read.remainder === path) return name;
  }
  return `${domain}/${path}`;
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

function splitDomain(name: string): { domain: string; remainder: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isDomain = slash !== -1 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = !isDomain || first === LEGACY_DEFAULT_DOMAIN ? DEFAULT_DOMAIN : first;
  const remainder = isDomain ? name.slice(slash + 1) : name;
  const official = domain === DEFAULT_DOMAIN && !remainder.includes('/');
  return { domain, remainder: official ? OFFICIAL_REPOSITORIES + remainder : remainder };
}

function invalid(text: string, why: string): InvalidReference {
  return new InvalidReference(`invalid reference format: "${clip(text)}": ${why}`);
}

function clip(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** For the store: with its domain and its tag. */
export function completeName(reference: string): string {
  return formatReference(withDefaultTag(parseReference(reference)));
}

/** As `repoTags` has it; what is not a name (an id) stays as it is. */
export function displayName(reference: string): string {
  try {
    return familiarReference(withDefaultTag(parseReference(reference)));
  } catch {
    return reference;
  }
}
