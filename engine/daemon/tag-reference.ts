import { InvalidReference, parseReference } from '../image/reference.ts';

/** A repository and a tag as one reference. @throws InvalidReference */
export function tagReference(repo: string, tag: string): string {
  const parsed = parseReference(repo);
  // `sha256:abc` would be taken for an id.
  if (/^(?:docker\.io\/)?(?:library\/)?sha256(?::|$)/.test(repo))
    throw new InvalidReference('refusing to create an ambiguous tag using digest algorithm as name');
  if (tag === '') return repo;
  if (parsed.tag !== undefined || parsed.digest !== undefined)
    throw new InvalidReference(`invalid reference format: "${repo.slice(0, 100)}" has a tag already`);
  return `${repo}:${tag}`;
}
