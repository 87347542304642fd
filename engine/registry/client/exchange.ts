/** One request and its answer over HTTP, with the redirects between them. */

import type { Dispatcher } from 'undici';
import { followRedirect } from '#pull';
import { PullRefused, type RequestHead } from '../contract/pull.ts';
import type { RegistryRequest, RegistryResponse } from '../contract/transport.ts';
import type { Dispatchers } from './dispatchers.ts';
import { quoted, RegistryError, type Where } from './registry-error.ts';

export interface Exchange extends Pick<RegistryRequest, 'method' | 'headers' | 'body' | 'signal'> {
  url: URL;
  /** For this origin only. */
  authorization?: { origin: string; value: string };
}

const REDIRECTS_MOST = 10;
const DUMPED_MOST = 128 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const USER_AGENT = `skiff (${process.platform})`;

/**
 * Send it, and follow redirects of GET and HEAD. The authorization goes to its own origin and to nobody else.
 * @throws RegistryError
 */
export async function exchange(dispatchers: Dispatchers, request: Exchange, where: Where): Promise<RegistryResponse> {
  const { url, authorization, headers } = request;
  const isOurs = authorization?.origin === url.origin;
  let head: RequestHead = {
    url: url.href,
    headers: { 'user-agent': USER_AGENT, ...headers, ...(isOurs && { authorization: authorization.value }) },
  };
  for (let redirects = 0; ; redirects += 1) {
    const answer = await send(dispatchers, request, head, where);
    const { location } = answer.headers;
    const isFollowed = request.method === 'GET' || request.method === 'HEAD';
    if (!REDIRECTS.has(answer.status) || location === undefined || !isFollowed) return answer;
    await answer.discard();
    if (redirects === REDIRECTS_MOST)
      throw new RegistryError('protocol', where, `it redirects more than ${REDIRECTS_MOST} times`);
    head = follow(head, location, where);
  }
}

/** What a `Location` leads to. @throws RegistryError for everything but http and https, and for a step down from TLS. */
export function follow(request: RequestHead, location: string, where: Where): RequestHead {
  try {
    return followRedirect(request, location);
  } catch (error) {
    throw error instanceof PullRefused ? new RegistryError(error.kind, where, error.message) : error;
  }
}

async function send(
  dispatchers: Dispatchers,
  { method, body, signal }: Exchange,
  { url: href, headers }: RequestHead,
  where: Where,
): Promise<RegistryResponse> {
  const url = new URL(href);
  let answer: Dispatcher.ResponseData;
  try {
    const dispatcher = await dispatchers.to(url);
    answer = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      signal,
      body: typeof body === 'function' ? (body() as unknown as Dispatcher.DispatchOptions['body']) : body,
      headers,
    });
  } catch (error) {
    throw connectionError(error, url, where, signal);
  }
  // A reader of the body is told of its error; that of a body that is not read must not end the process.
  answer.body.on('error', () => {});
  return {
    status: answer.statusCode,
    headers: joined(answer.headers),
    body: bodyOf(answer.body, url, where, signal),
    // Little is read to its end, so that the connection can be used again; much is cut off.
    discard: () => answer.body.dump({ limit: DUMPED_MOST }).catch(() => {}),
  };
}

async function* bodyOf(
  body: AsyncIterable<Uint8Array>,
  url: URL,
  where: Where,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw connectionError(error, url, where, signal);
  }
}

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}

const TLS = /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO|ERR_OSSL)/;

const WHY: Record<string, string> = {
  ENOTFOUND: 'there is no host of this name. Look at the name, and at the DNS of this machine',
  EAI_AGAIN: 'the name of the host could not be looked up. Look at the network and the DNS of this machine',
  ECONNREFUSED: 'the connection was refused. Is the registry running, and is the port right?',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  UND_ERR_SOCKET: 'the connection broke',
  EHOSTUNREACH: 'no way leads to the host. Look at the network of this machine',
  ENETUNREACH: 'no way leads to the host. Look at the network of this machine',
  ETIMEDOUT: 'the host does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'the host does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'no answer came',
  UND_ERR_BODY_TIMEOUT: 'nothing came any more',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of its answer are too large',
};

function connectionError(error: unknown, url: URL, where: Where, signal?: AbortSignal): Error {
  if (signal?.aborted) return new RegistryError('cancelled', where, 'it is not wanted any more');
  if (error instanceof RegistryError) return error;
  const { code = '', message } = rootOf(error as NodeJS.ErrnoException);
  // No authority at fault: a body that somebody hands over may fail, too.
  if (TLS.test(code)) return new RegistryError('tls', where, tlsReason(code, message, url));
  if (/^HPE_/.test(code) || (error as Error).name === 'HTTPParserError')
    return new RegistryError('protocol', where, `${url.host} does not answer in HTTP: ${quoted(message, 120)}`);
  const why = WHY[code];
  if (why === undefined && !code.startsWith('UND_ERR')) return error as Error;
  return new RegistryError(
    'unreachable',
    where,
    `${url.host}: ${why ?? `the connection failed: ${quoted(message, 120)}`}`,
  );
}

/** Of several addresses that were tried, the last one's error. */
function rootOf(error: NodeJS.ErrnoException): { code?: string; message: string } {
  let root = error as NodeJS.ErrnoException & { cause?: unknown; errors?: NodeJS.ErrnoException[] };
  for (let depth = 0; depth < 5; depth += 1) {
    const next = (root.errors?.at(-1) ?? root.cause) as typeof root | undefined;
    if (next === undefined || typeof next !== 'object' || (WHY[root.code ?? ''] && !WHY[next.code ?? ''])) break;
    root = next;
  }
  return root.code === undefined ? error : root;
}

function tlsReason(code: string, message: string, url: URL): string {
  if (/wrong.version.number|packet length too long|http request/i.test(message))
    return `${url.host} does not speak TLS. If it is a registry without TLS, start the daemon with --insecure-registry ${url.host}`;
  const trust = `put the certificate of its authority into /etc/docker/certs.d/${url.host}/ca.crt`;
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `the certificate of ${url.host} is signed by an unknown authority (${code}). If you trust it, ${trust}`;
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${url.host} has expired. Renew it, and look at the clock of this machine`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${url.host} is not valid yet. Look at the clock of this machine`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate of ${url.host} is for other names: ${message.replace(/\s+/g, ' ').slice(0, 200)}`;
    default:
      return `TLS with ${url.host} fails: ${message.replace(/\s+/g, ' ').slice(0, 200)}`;
  }
}
