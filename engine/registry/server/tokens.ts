/** What a token server lets a client do: signed tokens (JWT, RFC 7519) in the form of Docker's registry token specification. */

import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { jwtVerify } from 'jose';
import * as z from 'zod';
import { type Action, RequestRefused } from '#contract/registry';

/** Signatures that need a private key: a public key must never serve as the secret of a symmetric one. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Seconds that the clocks of both servers may differ. */
const CLOCK_TOLERANCE = 60;
const TOKEN_LENGTH_MAX = 16 * 1024;
const PEM = /-----BEGIN (PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----/g;

const Grants = z.array(z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) })).nullish();

export interface TokenOptions {
  /** Where clients get tokens: a URL. */
  realm: string;
  /** Our own name there: a token is for us if it has it as its audience. */
  service: string;
  /** The token server's name in its tokens. */
  issuer: string;
  /** A file of public keys or certificates (PEM). A token is good if one of them verifies it. */
  keys: string;
}

/** What a request needs, in the words of a scope: `repository:NAME:pull,push`. */
interface Scope {
  type: 'repository' | 'registry';
  name: string;
  actions: string[];
}

export class Tokens {
  readonly #options: TokenOptions;
  readonly #keys: KeyObject[];

  /** @throws Error when the file has no key, or one that is not readable */
  constructor(options: TokenOptions) {
    this.#options = options;
    const texts = readFileSync(options.keys, 'utf8').match(PEM) ?? [];
    if (texts.length === 0)
      throw new Error(
        `${options.keys} has no public key and no certificate in PEM. Name another file with --token-keys.`,
      );
    this.#keys = texts.map((text) => createPublicKey(text));
  }

  /** @throws RequestRefused 401 with a challenge that names the scope */
  async require(authorization: string | undefined, action: Action, repository: string): Promise<void> {
    const scope = scopeOf(action, repository);
    const token = /^bearer +([\w.-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw this.#challenge(scope, undefined, 'this registry asks for a token');
    const grants = await this.#grantsOf(token);
    if (grants === undefined)
      throw this.#challenge(scope, 'invalid_token', 'the token is not good here, or not any more');
    if (scope !== undefined && !scope.actions.every((each) => isGranted(grants, scope, each)))
      throw this.#challenge(scope, 'insufficient_scope', `the token is not for ${inWords(scope)}`);
  }

  /** Undefined if no key verifies the token, or it is for others, or its time is over. */
  async #grantsOf(token: string): Promise<NonNullable<z.infer<typeof Grants>> | undefined> {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    const { issuer, service } = this.#options;
    for (const key of this.#keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          issuer,
          audience: service,
          algorithms: ALGORITHMS,
          clockTolerance: CLOCK_TOLERANCE,
          requiredClaims: ['exp'],
        });
        return Grants.parse(payload.access) ?? [];
      } catch {
        // It may be good with the next key.
      }
    }
    return undefined;
  }

  /** RFC 6750, section 3. */
  #challenge(scope: Scope | undefined, error: string | undefined, message: string): RequestRefused {
    const { realm, service } = this.#options;
    const values = { realm, service, ...(scope && { scope: inWords(scope) }), ...(error && { error }) };
    const challenge = Object.entries(values).map(([name, value]) => `${name}="${value}"`);
    return new RequestRefused(401, 'UNAUTHORIZED', message, {
      headers: { 'www-authenticate': `Bearer ${challenge.join(',')}` },
      ...(scope && { detail: scope }),
    });
  }
}

function scopeOf(action: Action, repository: string): Scope | undefined {
  if (action === 'ping') return undefined;
  if (action === 'catalog') return { type: 'registry', name: 'catalog', actions: ['*'] };
  return { type: 'repository', name: repository, actions: action === 'push' ? ['pull', 'push'] : [action] };
}

function isGranted(grants: NonNullable<z.infer<typeof Grants>>, { type, name }: Scope, action: string): boolean {
  return grants.some(
    (grant) =>
      grant.type === type && grant.name === name && (grant.actions.includes(action) || grant.actions.includes('*')),
  );
}

function inWords({ type, name, actions }: Scope): string {
  return `${type}:${name}:${actions.join(',')}`;
}
