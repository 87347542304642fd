/** A name as the API takes it: `team/app:1.0` is the repository `team/app` and the tag `1.0`. The daemon says what is wrong with one. */
export function splitReference(reference: string): { repo: string; tag?: string } {
  const [, repo = reference, tag] = /^(.+):([^:/@]+)$/.exec(reference) ?? [];
  return tag === undefined ? { repo: reference } : { repo, tag };
}
