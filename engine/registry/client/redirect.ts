/** Where a redirect leads, and what goes along. RFC 9110, section 15.4. */

import { PullRefused, type RequestHead } from '../contract/pull.ts';

const STEP = 'follow a redirect';

/** @throws PullRefused for everything but http and https, and for a step down from TLS. */
export function followRedirect({ url: from, headers }: RequestHead, location: string): RequestHead {
  let url: URL;
  try {
    url = new URL(location, from);
  } catch {
    throw new PullRefused('protocol', STEP, 'it redirects to something that is not a URL');
  }
  const before = new URL(from);
  if (!/^https?:$/.test(url.protocol))
    throw new PullRefused('protocol', STEP, `it redirects to a ${url.protocol} address`);
  if (before.protocol === 'https:' && url.protocol === 'http:')
    throw new PullRefused('protocol', STEP, `it redirects from https to http, at ${url.host}`);
  // A password in a URL is one that the registry gave; it is of no use here, and would show in errors.
  url.username = '';
  url.password = '';
  const { authorization, ...others } = headers;
  const isOurs = url.origin === before.origin && authorization !== undefined;
  return { url: url.href, headers: { ...others, ...(isOurs && { authorization }) } };
}
