/** Long lists, page by page: `n`, `last` and the Link header. "Listing Tags" */

import { RequestRefused } from '#contract/registry';
import { clip } from './names.ts';

/** Names in one list. */
const PAGE_MAX = 10_000;

export function pageOf(
  names: string[],
  query: URLSearchParams,
  path: string,
): { page: string[]; link: Record<string, string> } {
  const [n, last] = [query.get('n'), query.get('last')];
  if (n !== null && !/^\d{1,15}$/.test(n))
    throw new RequestRefused(400, 'UNSUPPORTED', `n must be a number, not "${clip(n)}"`);
  const rest = last === null ? names : names.filter((each) => each > last);
  const page = rest.slice(0, Math.min(Number(n ?? PAGE_MAX), PAGE_MAX));
  const more = page.length > 0 && page.length < rest.length;
  return { page, link: more ? linkTo(path, { n: n ?? `${PAGE_MAX}`, last: page.at(-1)! }) : {} };
}

/** RFC 8288. */
export function linkTo(path: string, query: Record<string, string>): Record<string, string> {
  return { link: `<${path}?${new URLSearchParams(query)}>; rel="next"` };
}
