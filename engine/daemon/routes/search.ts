import { DEFAULT_DOMAIN } from '../../image/reference.ts';
import type { Found } from '../../registry/client/search.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { flagOf } from '../image-filters.ts';
import { domainOf, registryAuth } from '../registry-auth.ts';

/** `GET /images/search`: at Docker Hub, or at the registry that the term begins with. */
export async function searchRoute(call: Call): Promise<void> {
  const { engine, query, signal } = call;
  const { domain, term } = parseTerm(query.text('term'));
  const limit = query.integer('limit', { min: 0, max: 100 }) || undefined;
  const tests = testsOf(query.filters(['is-automated', 'is-official', 'stars']));
  const credentials = registryAuth(call);
  const found = await engine.registries.search(domain, { term, limit, credentials, signal });
  call.send(
    200,
    found.filter((each) => tests.every((test) => test(each))),
  );
}

function parseTerm(text: string): { domain: string; term: string } {
  if (text.includes('://')) throw new ApiError(400, `invalid search term: leave the "${text.split('://')[0]}://" out`);
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(first) || first === 'localhost';
  const domain = isHost ? domainOf(first) : DEFAULT_DOMAIN;
  const rest = isHost ? text.slice(slash + 1) : text;
  const term = domain === DEFAULT_DOMAIN ? rest.replace(/^library\//, '') : rest;
  if (term === '') throw new ApiError(400, 'the search needs a term: what the name of an image has in it');
  return { domain, term };
}

function testsOf(filters: Map<string, string[]>): ((found: Found) => boolean)[] {
  const tests: ((found: Found) => boolean)[] = [];
  for (const name of ['is-official', 'is-automated'] as const) {
    const values = filters.get(name);
    if (values === undefined) continue;
    const wanted = flagOf(name, values);
    const field = name === 'is-official' ? 'is_official' : 'is_automated';
    tests.push((found) => found[field] === wanted);
  }
  for (const value of filters.get('stars') ?? []) {
    if (!/^\d{1,9}$/.test(value)) throw new ApiError(400, `invalid filter 'stars=${value.slice(0, 60)}': not a number`);
    tests.push((found) => found.star_count >= Number(value));
  }
  return tests;
}
