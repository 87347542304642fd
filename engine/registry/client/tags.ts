/** The tags of a repository. OCI distribution-spec, "Listing Tags". */

import * as z from 'zod';
import { isTag } from '../../image/reference.ts';
import type { Transport } from '../contract/transport.ts';
import { readText } from './refusal.ts';
import { RegistryError, type Where } from './registry-error.ts';

/** More is not fetched: a registry that never comes to an end would have us run out of memory. */
const TAGS_MOST = 10_000;

const Answer = z.looseObject({ tags: z.array(z.string()).nullish() });

/** All of them, page by page. @throws RegistryError */
export async function listTags(
  transport: Transport,
  where: Omit<Where, 'step'>,
  signal: AbortSignal,
): Promise<string[]> {
  const step = 'list the tags';
  const here = { ...where, step };
  const tags = new Set<string>();
  let path: string | undefined = 'tags/list';
  while (path !== undefined) {
    const before = tags.size;
    const answer = await transport({ method: 'GET', path, step, signal });
    const { link } = answer.headers;
    for (const tag of tagsIn(await readText(answer, here), here)) tags.add(tag);
    if (tags.size > TAGS_MOST) throw new RegistryError('unsupported', here, `there are more than ${TAGS_MOST}`);
    path = tags.size === before ? undefined : nextOf(link);
  }
  if (tags.size === 0) throw new RegistryError('not-found', here, 'the repository has no tags');
  return [...tags];
}

function tagsIn(text: string, where: Where): string[] {
  try {
    return (Answer.parse(JSON.parse(text)).tags ?? []).filter(isTag);
  } catch {
    throw new RegistryError('protocol', where, 'the answer is not a list of tags');
  }
}

/**
 * RFC 8288: `</v2/NAME/tags/list?n=50&last=x>; rel="next"`, after others perhaps. One link ends where the next one begins,
 * so no character is looked at for more than one of them.
 */
function nextOf(link = ''): string | undefined {
  for (const value of link.split('<').slice(1)) {
    const end = value.indexOf('>');
    if (end === -1 || !/;\s*rel="?next\b/i.test(value.slice(end))) continue;
    const url = value.slice(0, end);
    return /^(?:\/|https?:)/i.test(url) ? url : `tags/list${url.slice(Math.max(url.indexOf('?'), 0))}`;
  }
  return undefined;
}
