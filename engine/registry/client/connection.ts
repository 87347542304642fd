/** A registry at one place: its challenge is known, requests to it are authorized, and what may pass is tried again. */

import { setTimeout as wait } from 'node:timers/promises';
import { parseChallenges } from '#pull';
import type { Challenge } from '../contract/pull.ts';
import type { RegistryRequest, RegistryResponse, Transport } from '../contract/transport.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';
import type { Dispatchers } from './dispatchers.ts';
import type { Endpoint } from './endpoints.ts';
import { exchange, follow } from './exchange.ts';
import { refusalOf } from './refusal.ts';
import { RegistryError, type Where } from './registry-error.ts';
import { hasIdentity, type TokenRequest, type Tokens } from './tokens.ts';

interface ConnectOptions {
  endpoint: Endpoint;
  dispatchers: Dispatchers;
  tokens: Tokens;
  where: Where;
  /** Of every request. */
  scopes: string[];
  credentials: Credentials;
  /** Ends everything; only the hello if `isShared`. */
  signal?: AbortSignal;
  isShared?: boolean;
}

export interface Connection {
  endpoint: Endpoint;
  /** For one repository. */
  transport(repository: string): Transport;
  /** Try the credentials. @returns an identity token, if the token server gives one. @throws RegistryError */
  login(): Promise<string | undefined>;
}

const ATTEMPTS = 5;
/** Milliseconds before the second attempt; twice as long before each further one. */
const FIRST_WAIT = 250;
/** Seconds that a registry may ask us to wait. */
const RETRY_AFTER_MOST = 30;

/** Say hello, so that the challenge is known before a body is sent. @throws RegistryError when it is not a registry. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { endpoint, dispatchers, tokens, where, scopes, credentials, signal } = options;
  // As Docker does: a mirror's answer is not asked with the login of the registry that it mirrors.
  const login = endpoint.isMirror ? {} : credentials;
  const base = new URL(`${endpoint.url}/v2/`);
  let challenges: Challenge[] = [];

  const hello = await retried(() => exchange(dispatchers, { method: 'GET', url: base, signal }, where), {
    signal,
    isRefusalFinal: true,
    where,
  });
  // The refusal of a registry says why, in its body.
  if (![200, 401, 404].includes(hello.status)) throw await refusalOf(hello, where, false);
  await hello.discard();
  if (hello.status === 401) challenges = parseChallenges(hello.headers['www-authenticate'] ?? '');
  else if (hello.status === 404)
    throw new RegistryError('protocol', where, `${base.host} is not a registry: it does not know /v2/`, 404);

  return {
    endpoint,
    transport: (repository) => (request) => send(repository, request),
    login: async () => {
      const bearer = bearerOf(challenges);
      if (bearer) {
        const token = await tokens.get({ ...tokenRequest(bearer, []), offline: !login.identityToken }, where);
        await loggedIn(`Bearer ${token.value}`);
        return token.identityToken;
      }
      await loggedIn(basicAuthorization(login));
      return undefined;
    },
  };

  async function loggedIn(value: string | undefined): Promise<void> {
    const authorization = value === undefined ? undefined : { origin: base.origin, value };
    const answer = await exchange(dispatchers, { method: 'GET', url: base, signal, authorization }, where);
    if (answer.status !== 200) throw await refusalOf(answer, where, hasIdentity(login));
    await answer.discard();
  }

  async function send(repository: string, request: RegistryRequest): Promise<RegistryResponse> {
    const { method, headers, body, expect = [200], step } = request;
    const here = { registry: where.registry, repository, step };
    const url = locate(request.path, repository, here);
    const requestSignal = options.isShared ? request.signal : anyOf(signal, request.signal);
    let refused: TokenRequest | undefined;
    for (;;) {
      const wanted = [...scopes, ...(request.scopes ?? [])];
      const isOurs = url.origin === base.origin;
      const { value, token } = isOurs ? await authorize(wanted, here, requestSignal) : {};
      const authorization = value === undefined ? undefined : { origin: url.origin, value };
      const once = () =>
        exchange(dispatchers, { method, url, headers, body, authorization, signal: requestSignal }, here);
      const isSafe = method === 'GET' || method === 'HEAD' || method === 'PUT' || method === 'DELETE';
      const isRepeatable = isSafe && typeof body !== 'function';
      const answer = isRepeatable ? await retried(once, { signal: requestSignal, where: here }) : await once();
      if (expect.includes(answer.status)) return answer;
      const again = isOurs && answer.status === 401 && refused === undefined;
      const asked = again ? parseChallenges(answer.headers['www-authenticate'] ?? '') : [];
      if (asked.length === 0) throw await refusalOf(answer, here, hasIdentity(login));
      await answer.discard();
      challenges = asked;
      refused = token ?? tokenRequest({ scheme: '', parameters: new Map() }, []);
      if (token !== undefined) tokens.forget(token);
    }
  }

  /** The value of the header, and what a token was asked for with. */
  async function authorize(
    wanted: string[],
    here: Where,
    until: AbortSignal | undefined,
  ): Promise<{ value?: string; token?: TokenRequest }> {
    if (login.registryToken) return { value: `Bearer ${login.registryToken}` };
    const bearer = bearerOf(challenges);
    if (bearer) {
      const token = { ...tokenRequest(bearer, wanted), signal: until };
      return { value: `Bearer ${(await tokens.get(token, here)).value}`, token };
    }
    const isBasic = challenges.some(({ scheme }) => scheme === 'basic');
    return isBasic ? { value: basicAuthorization(login) } : {};
  }

  function tokenRequest({ parameters }: Challenge, wanted: string[]): TokenRequest {
    const asked = (parameters.get('scope') ?? '').split(' ').filter(Boolean);
    return { parameters, scopes: merged([...wanted, ...asked]), credentials: login, registry: base, signal };
  }

  function locate(path: string, repository: string, here: Where): URL {
    if (!/^(?:\/|https?:\/\/)/i.test(path)) return new URL(`${base.href}${repository}/${path}`);
    // What a registry names as the next place leads as far as a redirect does, and no further.
    return new URL(follow({ url: base.href, headers: {} }, path, here).url);
  }
}

function bearerOf(challenges: Challenge[]): Challenge | undefined {
  return challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
}

/** Scopes of the same resource become one: `repository:a:pull` and `repository:a:push` are `repository:a:pull,push`. */
function merged(scopes: string[]): string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const colon = scope.lastIndexOf(':');
    const resource = scope.slice(0, colon);
    const known = actions.get(resource) ?? new Set<string>();
    for (const action of scope.slice(colon + 1).split(',')) known.add(action);
    actions.set(resource, known);
  }
  return [...actions].map(([resource, each]) => `${resource}:${[...each].join(',')}`);
}

function anyOf(...signals: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = [...new Set(signals.filter((signal) => signal !== undefined))];
  return given.length > 1 ? AbortSignal.any(given) : given[0];
}

/** Again what may pass by itself. */
async function retried(
  once: () => Promise<RegistryResponse>,
  { signal, where, isRefusalFinal = false }: { signal?: AbortSignal; where: Where; isRefusalFinal?: boolean },
): Promise<RegistryResponse> {
  for (let attempt = 1; ; attempt += 1) {
    const pause = FIRST_WAIT * 2 ** (attempt - 1);
    try {
      const answer = await once();
      const seconds = waitOf(answer);
      if (seconds === undefined || attempt === ATTEMPTS || seconds > RETRY_AFTER_MOST) return answer;
      await answer.discard();
      await pauseFor(Math.max(seconds * 1000, pause), where, signal);
    } catch (error) {
      const isPassing = error instanceof RegistryError && error.kind === 'unreachable' && !isRefusalFinal;
      if (!isPassing || attempt === ATTEMPTS || signal?.aborted) throw error;
      await pauseFor(pause, where, signal);
    }
  }
}

async function pauseFor(milliseconds: number, where: Where, signal?: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { signal }).catch(() => {
    throw new RegistryError('cancelled', where, 'it is not wanted any more');
  });
}

/** Seconds to wait before the next attempt; undefined when there is to be none. */
function waitOf({ status, headers }: RegistryResponse): number | undefined {
  if (![429, 502, 503, 504].includes(status)) return undefined;
  const after = headers['retry-after'];
  if (after === undefined) return 0;
  const seconds = /^\d+$/.test(after) ? Number(after) : (Date.parse(after) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? 0 : Math.max(seconds, 0);
}
