/** What a registry means by an answer that was not hoped for. Distribution specification, "Error Codes". */

import * as z from 'zod';
import type { RegistryResponse } from '../contract/transport.ts';
import { quoted, RegistryError, type RegistryFailure, type Where } from './registry-error.ts';

const TEXT_MOST = 1024 * 1024;
const ERROR_MOST = 64 * 1024;

const Errors = z.looseObject({
  errors: z.array(z.looseObject({ code: z.string().optional(), message: z.string().nullish() })).min(1),
});
/** Token servers have a form of their own. RFC 6749, section 5.2; Docker Hub's. */
const Details = z.looseObject({ details: z.string().optional(), error_description: z.string().optional() });

/** @param hasLogin whether credentials went along. */
export async function refusalOf(answer: RegistryResponse, where: Where, hasLogin: boolean): Promise<RegistryError> {
  const { status } = answer;
  const said = await reasonIn(answer, where);
  const says = said === '' ? '' : `: ${said}`;
  const error = (kind: RegistryFailure, why: string) => new RegistryError(kind, where, why, status);
  if (status === 401)
    return hasLogin
      ? error(
          'unauthorized',
          `unauthorized${says}. The login is wrong or does not suffice; log in again with docker login`,
        )
      : error(
          'unauthorized',
          `unauthorized${says}. There is no such repository, or it wants a login; log in with docker login`,
        );
  if (status === 403) return error('denied', `access is denied${says}`);
  if (status === 404) return error('not-found', `not found${says}`);
  if (status === 429) {
    const wait = answer.headers['retry-after'];
    const when = wait === undefined ? 'later' : /^\d+$/.test(wait) ? `in ${wait} seconds` : `after ${quoted(wait, 40)}`;
    return error('too-many', `too many requests (429)${says}. Try again ${when}`);
  }
  if (status >= 500) return error('server', `the registry failed with status ${status}${says}`);
  return error('protocol', `unexpected status ${status}${says}`);
}

async function reasonIn(answer: RegistryResponse, where: Where): Promise<string> {
  let text: string;
  try {
    text = await readText(answer, where, ERROR_MOST);
  } catch {
    return '';
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return /^\s*</.test(text) ? 'it sent a page of HTML' : quoted(text, 120);
  }
  const errors = Errors.safeParse(json);
  if (errors.success) {
    const [first] = errors.data.errors;
    const code = (first?.code ?? '').toLowerCase().replaceAll('_', ' ');
    const message = first?.message ?? '';
    return quoted(message.toLowerCase() === code ? code : [code, message].filter(Boolean).join(': '));
  }
  const details = Details.safeParse(json);
  return quoted(details.data?.error_description ?? details.data?.details ?? '');
}

/** A whole body as text. @throws RegistryError when it is larger than `most` bytes, or the connection breaks. */
export async function readText(answer: RegistryResponse, where: Where, most = TEXT_MOST): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > most) {
      await answer.discard();
      throw new RegistryError('protocol', where, `its answer has more than ${most} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
