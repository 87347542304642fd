/** What a token server is asked. Distribution specification, "Token Authentication". */

import { type Challenge, PullRefused, type RequestHead, type TokenQuestion } from '../contract/pull.ts';
import { basicAuthorization } from './credentials.ts';
import { isLoopback } from './endpoints.ts';

/** @throws PullRefused unless the realm is a URL that a password may go to. */
export function tokenRequest(challenge: Challenge, { registry, scopes, login }: TokenQuestion): RequestHead {
  const url = realmOf(challenge, registry);
  const service = challenge.parameters.get('service');
  if (service !== undefined) url.searchParams.append('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (login !== undefined) url.searchParams.append('account', login.username);
  const authorization = basicAuthorization(login ?? {});
  return { url: url.href, headers: { ...(authorization !== undefined && { authorization }) } };
}

/**
 * A registry may name any token server; it gets to know the user's password. So that nobody on the way does, it has to be
 * reached at least as safely as the registry.
 */
export function realmOf({ parameters }: Challenge, registry: string): URL {
  const step = 'log in';
  let url: URL | undefined;
  try {
    url = new URL(parameters.get('realm') ?? '');
  } catch {
    // Said below.
  }
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new PullRefused('protocol', step, 'its challenge names no token server (the realm is not a URL)');
  if (
    new URL(registry).protocol === 'https:' &&
    url.protocol === 'http:' &&
    !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))
  )
    throw new PullRefused('protocol', step, `its token server ${url.host} would get the login without TLS`);
  url.username = '';
  url.password = '';
  return url;
}
