/** The search of the old protocol, which Docker Hub still has: `GET /v1/search?q=…`. Docker Registry HTTP API V1, "Search". */

import * as z from 'zod';
import type { RegistryResponse } from '../contract/transport.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';
import type { Dispatchers } from './dispatchers.ts';
import type { Endpoint } from './endpoints.ts';
import { exchange } from './exchange.ts';
import { readText, refusalOf } from './refusal.ts';
import { RegistryError, type Where } from './registry-error.ts';
import { hasIdentity } from './tokens.ts';

export interface SearchOptions {
  term: string;
  /** 1…100; 25 unless given. */
  limit?: number;
  credentials?: Credentials;
  signal?: AbortSignal;
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

const Answer = z.looseObject({
  results: z
    .array(
      z.object({
        name: text,
        description: text,
        star_count: z
          .int()
          .nullish()
          .transform((value) => value ?? 0),
        is_official: flag,
        is_automated: flag,
      }),
    )
    .nullable(),
});

/** As Docker's API has it, too. */
export type Found = NonNullable<z.infer<typeof Answer>['results']>[number];

const LIMIT = 25;

/** @param endpoints of which the first that can be reached is asked. @throws RegistryError */
export async function search(
  dispatchers: Dispatchers,
  { domain, endpoints }: { domain: string; endpoints: Endpoint[] },
  options: SearchOptions,
): Promise<Found[]> {
  const { term, limit = LIMIT, credentials = {}, signal } = options;
  const where: Where = { registry: domain, step: `search for ${term}` };
  let failure: unknown;
  for (const { url: base } of endpoints) {
    const url = new URL(`${base}/v1/search`);
    url.searchParams.set('q', term);
    url.searchParams.set('n', String(limit));
    const value = basicAuthorization(credentials);
    const authorization = value === undefined ? undefined : { origin: url.origin, value };
    try {
      const answer = await exchange(dispatchers, { method: 'GET', url, authorization, signal }, where);
      return await resultsIn(answer, where, hasIdentity(credentials));
    } catch (error) {
      // Over http only what https cannot do.
      if (!(error instanceof RegistryError) || !/^(?:unreachable|tls)$/.test(error.kind) || signal?.aborted)
        throw error;
      if (!(failure instanceof RegistryError && failure.kind === 'tls')) failure = error;
    }
  }
  throw failure;
}

async function resultsIn(answer: RegistryResponse, where: Where, hasLogin: boolean): Promise<Found[]> {
  if (answer.status === 404) {
    await answer.discard();
    const why = 'it has no search (/v1/search). Docker Hub has; of this registry, pull by name';
    throw new RegistryError('unsupported', where, why, 404);
  }
  if (answer.status !== 200) throw await refusalOf(answer, where, hasLogin);
  const body = await readText(answer, where);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    // Said below.
  }
  const parsed = Answer.safeParse(json);
  if (!parsed.success) throw new RegistryError('protocol', where, 'its answer is not what a search answers');
  return parsed.data.results ?? [];
}
