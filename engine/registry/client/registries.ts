/** All registries, as one engine talks to them: connections and tokens are shared between pulls and pushes. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_DOMAIN, type Reference } from '../../image/reference.ts';
import type { Transport } from '../contract/transport.ts';
import { type Connection, connect } from './connection.ts';
import type { Credentials } from './credentials.ts';
import { Dispatchers } from './dispatchers.ts';
import { type Endpoint, endpointsOf, type RegistryOptions, trustsAny } from './endpoints.ts';
import { RegistryError } from './registry-error.ts';
import { type Found, type SearchOptions, search } from './search.ts';
import { Tokens } from './tokens.ts';

/** Where Docker Hub is searched. */
const HUB_SEARCH = 'index.docker.io';

export interface RepositoryOptions {
  /** `push` never goes to a mirror. */
  use: 'pull' | 'push';
  credentials?: Credentials;
  signal?: AbortSignal;
  /** The requests of the transport end with their own signals only: what one pull fetches, another may wait for. */
  isShared?: boolean;
}

/** One repository at one place. */
export interface Repository {
  transport: Transport;
  /** Where it is: a mirror, perhaps. */
  endpoint: Endpoint;
}

export class Registries {
  readonly options: RegistryOptions;
  readonly #dispatchers: Dispatchers;
  readonly #tokens: Tokens;

  constructor(options: RegistryOptions = {}) {
    this.options = options;
    const certificates = options.certificates ?? certificateDirectories();
    this.#dispatchers = new Dispatchers(certificates, (url) => trustsAny(url, options));
    this.#tokens = new Tokens(this.#dispatchers);
  }

  /**
   * Work on a repository at the first place that has it: mirrors first, where those may be asked.
   * @throws RegistryError of the last place, or what `work` throws.
   */
  async during<T>(
    { domain, path }: Pick<Reference, 'domain' | 'path'>,
    options: RepositoryOptions,
    work: (repository: Repository) => Promise<T>,
  ): Promise<T> {
    const { use, credentials = {}, signal, isShared } = options;
    const actions = use === 'pull' ? 'pull' : 'pull,push';
    const scopes = [`repository:${path}:${actions}`];
    const where = { registry: domain, repository: path, step: use };
    let failure: unknown;
    for (const endpoint of this.#endpoints(domain, use)) {
      let connection: Connection;
      try {
        connection = await this.#connect(endpoint, { where, scopes, credentials, signal, isShared });
      } catch (error) {
        // Over http only what https cannot do: a registry that refuses a login over https is not asked without TLS.
        if (signal?.aborted || !(error instanceof RegistryError)) throw error;
        failure = worse(failure, error);
        if (endpoint.isMirror || error.kind === 'unreachable' || error.kind === 'tls') continue;
        throw error;
      }
      try {
        return await work({ endpoint, transport: connection.transport(path) });
      } catch (error) {
        if (!endpoint.isMirror || !(error instanceof RegistryError) || signal?.aborted) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** Who asks for the whole registry, not for a repository: logins, and searches. @throws RegistryError */
  async connect(domain: string, options: Omit<RepositoryOptions, 'use'> & { step: string }): Promise<Connection> {
    const { credentials = {}, signal, step } = options;
    let failure: unknown;
    for (const endpoint of this.#endpoints(domain, 'push')) {
      try {
        return await this.#connect(endpoint, { where: { registry: domain, step }, scopes: [], credentials, signal });
      } catch (error) {
        failure = worse(failure, error);
        const isElsewhere = error instanceof RegistryError && /^(?:unreachable|tls)$/.test(error.kind);
        if (!isElsewhere || signal?.aborted) throw error;
      }
    }
    throw failure;
  }

  /** By words, at a registry that has this. @throws RegistryError */
  search(domain: string, options: SearchOptions): Promise<Found[]> {
    const endpoints = this.#endpoints(domain === DEFAULT_DOMAIN ? HUB_SEARCH : domain, 'push');
    return search(this.#dispatchers, { domain, endpoints }, options);
  }

  close(): Promise<void> {
    return this.#dispatchers.close();
  }

  #endpoints(domain: string, use: 'pull' | 'push'): Endpoint[] {
    return endpointsOf(domain, this.options, use);
  }

  #connect(endpoint: Endpoint, options: Omit<Parameters<typeof connect>[0], 'endpoint' | 'dispatchers' | 'tokens'>) {
    return connect({ ...options, endpoint, dispatchers: this.#dispatchers, tokens: this.#tokens });
  }
}

/** Of a port where https fails for want of TLS and http for want of an answer, the second says more. */
function worse(before: unknown, error: unknown): unknown {
  const isRefused = error instanceof RegistryError && error.kind === 'unreachable';
  return before instanceof RegistryError && before.kind === 'tls' && isRefused ? before : error;
}

/** Docker's own, and an ordinary user's. */
function certificateDirectories(): string[] {
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), '.config');
  return ['/etc/docker/certs.d', join(config, 'docker', 'certs.d')];
}
