/**
 * Access tokens of token servers, kept until they expire. Distribution specification, "Token Authentication".
 *
 * A registry's Bearer challenge names the server (`realm`) and itself (`service`). The server is told who asks and what
 * for (`scope`), and gives a token that the registry takes.
 */

import { createHash } from 'node:crypto';
import * as z from 'zod';
import { tokenRequest } from '#pull';
import { PullRefused } from '../contract/pull.ts';
import type { Credentials } from './credentials.ts';
import type { Dispatchers } from './dispatchers.ts';
import { exchange } from './exchange.ts';
import { readText, refusalOf } from './refusal.ts';
import { RegistryError, type Where } from './registry-error.ts';
import { realmOf } from './token-request.ts';
import { unless } from './unless.ts';

/** What OAuth 2 wants to know about the program that asks. */
const CLIENT_ID = 'skiff';
/** Seconds that a token lasts if the server does not say. */
const LIFE = 60;
/** Seconds before its end at which a token is not used any more: the request takes time, and clocks differ. */
const SLACK = 10;
const KEPT_MOST = 1000;
/** Milliseconds for the whole answer of a token server, even when its bytes come slowly. */
const PATIENCE = 60_000;

const Answer = z.looseObject({
  token: z.string().optional(),
  access_token: z.string().optional(),
  refresh_token: z.string().optional(),
  expires_in: z.number().optional(),
});

interface Token {
  value: string;
  /** Milliseconds since 1970. */
  expires: number;
  identityToken?: string;
}

export interface TokenRequest {
  /** The parameters of the challenge. */
  parameters: ReadonlyMap<string, string>;
  scopes: string[];
  credentials: Credentials;
  /** The registry that sent the challenge. */
  registry: URL;
  /** Ask for an identity token, too, and take none that is known. */
  offline?: boolean;
  signal?: AbortSignal;
}

export class Tokens {
  readonly #dispatchers: Dispatchers;
  readonly #patience: number;
  readonly #kept = new Map<string, Token>();
  readonly #asked = new Map<string, Promise<Token>>();

  /** @param options.patience milliseconds after which a token server is given up. */
  constructor(dispatchers: Dispatchers, { patience = PATIENCE }: { patience?: number } = {}) {
    this.#dispatchers = dispatchers;
    this.#patience = patience;
  }

  /**
   * One that is known and lasts, or a new one. Callers that ask for the same at the same time share one request; each waits for
   * as long as the own signal allows.
   * @throws RegistryError
   */
  async get(request: TokenRequest, where: Where): Promise<Token> {
    const key = keyOf(request);
    const known = this.#kept.get(key);
    if (known !== undefined && known.expires > Date.now() && !request.offline) return known;
    if (request.offline) return this.#ask(request, where);
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#ask({ ...request, signal: undefined }, where)
        .then((token) => this.#keep(key, token))
        .finally(() => this.#asked.delete(key));
      this.#asked.set(key, asked);
    }
    const { signal } = request;
    if (signal === undefined) return asked;
    return unless(signal, asked).catch((error) => {
      throw signal.aborted ? new RegistryError('cancelled', where, 'it is not wanted any more') : error;
    });
  }

  /** The registry does not take it, whatever it said about its end. */
  forget(request: TokenRequest): void {
    this.#kept.delete(keyOf(request));
  }

  #keep(key: string, token: Token): Token {
    for (const [each, { expires }] of this.#kept)
      if (expires <= Date.now() || this.#kept.size >= KEPT_MOST) this.#kept.delete(each);
    this.#kept.set(key, token);
    return token;
  }

  async #ask(request: TokenRequest, where: Where): Promise<Token> {
    const { parameters, scopes, credentials, registry } = request;
    const limit = AbortSignal.timeout(this.#patience);
    const signal = request.signal === undefined ? limit : AbortSignal.any([request.signal, limit]);
    const challenge = { scheme: 'bearer', parameters: new Map(parameters) };
    const identity = credentials.identityToken;
    let sent: Parameters<typeof exchange>[1];
    if (identity !== undefined && identity !== '') {
      const url = located(() => realmOf(challenge, registry.href), where);
      const service = parameters.get('service');
      const form = new URLSearchParams();
      if (service !== undefined) form.set('service', service);
      if (scopes.length > 0) form.set('scope', scopes.join(' '));
      form.set('grant_type', 'refresh_token');
      form.set('refresh_token', identity);
      form.set('client_id', CLIENT_ID);
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      sent = { method: 'POST', url, headers, body: Buffer.from(form.toString()), signal };
    } else {
      const { username, password = '' } = credentials;
      const login = username ? { username, password } : undefined;
      const question = { registry: registry.href, scopes, ...(login && { login }) };
      const head = located(() => tokenRequest(challenge, question), where);
      const url = new URL(head.url);
      if (request.offline) url.searchParams.append('offline_token', 'true');
      url.searchParams.append('client_id', CLIENT_ID);
      sent = { method: 'GET', url, headers: head.headers, signal };
    }
    const { url } = sent;
    const asked = { ...where, step: `${where.step} (log in at the token server ${url.host})` };
    const began = Date.now();
    try {
      const answer = await exchange(this.#dispatchers, sent, asked);
      if (answer.status !== 200) throw await refusalOf(answer, asked, hasIdentity(credentials));
      return tokenIn(await readText(answer, asked), began, asked);
    } catch (error) {
      if (!limit.aborted || request.signal?.aborted) throw error;
      const why = `${url.host}: its answer did not end within ${this.#patience / 1000} seconds`;
      throw new RegistryError('unreachable', asked, why);
    }
  }
}

export function hasIdentity({ username, identityToken, registryToken }: Credentials): boolean {
  return Boolean(username || identityToken || registryToken);
}

function located<T>(work: () => T, where: Where): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof PullRefused ? new RegistryError(error.kind, where, error.message) : error;
  }
}

function tokenIn(text: string, began: number, where: Where): Token {
  const answer = Answer.safeParse(jsonIn(text));
  const value = answer.data?.token || answer.data?.access_token;
  // What cannot be a header is not a token.
  if (!value || !/^[\x21-\x7e]+$/.test(value))
    throw new RegistryError('protocol', where, 'the answer of the token server holds no token');
  const life = Math.max(answer.data?.expires_in ?? LIFE, LIFE);
  const identityToken = answer.data?.refresh_token;
  return { value, expires: began + (life - SLACK) * 1000, ...(identityToken && { identityToken }) };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function keyOf({ parameters, scopes, credentials }: TokenRequest): string {
  const parts = [parameters.get('realm'), parameters.get('service'), [...scopes].sort(), credentials];
  // Hashed, so that no password lies about for longer than it must.
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
