/** Connections to hosts: with their certificates, through a proxy if the environment names one. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import { isLoopback } from './endpoints.ts';

/** Milliseconds without one byte after which a connection counts as broken. */
const SILENCE = 60_000;
const CONNECT = 30_000;

interface Certificates {
  ca?: string[];
  cert?: string;
  key?: string;
}

export class Dispatchers {
  readonly #directories: string[];
  readonly #isInsecure: (url: URL) => boolean;
  readonly #made = new Map<string, Promise<Dispatcher>>();

  /**
   * @param directories such as `/etc/docker/certs.d`.
   * @param isInsecure whether a certificate that is not trusted is good enough: asked for each host by itself, since a
   *   registry may send us to any other.
   */
  constructor(directories: string[], isInsecure: (url: URL) => boolean = () => false) {
    this.#directories = directories;
    this.#isInsecure = isInsecure;
  }

  /** @throws Error when certificates of the host are there and cannot be used. */
  async to(url: URL): Promise<Dispatcher> {
    const insecure = this.#isInsecure(url);
    const certificates = url.protocol === 'https:' ? this.#certificatesOf(url.host) : {};
    const isLocal = isLoopback(url.hostname.replace(/^\[(.*)\]$/, '$1'));
    const key = JSON.stringify([isLocal, insecure, certificates]);
    let dispatcher = this.#made.get(key);
    if (dispatcher === undefined) {
      dispatcher = newDispatcher(isLocal, insecure, certificates);
      this.#made.set(key, dispatcher);
      dispatcher.catch(() => this.#made.delete(key));
    }
    return await dispatcher;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#made.values()].map(async (each) => (await each).destroy()));
    this.#made.clear();
  }

  /** Read each time, so that a new certificate works without a new start of the daemon. */
  #certificatesOf(host: string): Certificates {
    const found: Certificates = {};
    // What a host may look like was checked with the reference; a redirect may name another.
    if (!/^[\w.[\]:-]+$/.test(host) || host.startsWith('.')) return found;
    for (const directory of this.#directories) {
      const path = join(directory, host);
      for (const name of list(path)) {
        const file = join(path, name);
        if (name.endsWith('.crt')) found.ca = [...(found.ca ?? []), readFileSync(file, 'utf8')];
        if (!name.endsWith('.cert')) continue;
        found.cert = readFileSync(file, 'utf8');
        const key = file.replace(/\.cert$/, '.key');
        try {
          found.key = readFileSync(key, 'utf8');
        } catch {
          throw new Error(`the client certificate ${file} has no key beside it; put it into ${key}`);
        }
      }
    }
    return found;
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

async function newDispatcher(
  isLocal: boolean,
  insecure: boolean,
  { ca, cert, key }: Certificates,
): Promise<Dispatcher> {
  // Loaded when it is needed: most daemons start, and run containers, without a registry.
  const { Agent, EnvHttpProxyAgent } = await import('undici');
  const tls = {
    // The host's own authorities come on top of the usual ones.
    ...(ca !== undefined && { ca: [...rootCertificates, ...ca] }),
    ...(cert !== undefined && { cert, key }),
    ...(insecure && { rejectUnauthorized: false }),
  };
  const options = { headersTimeout: SILENCE, bodyTimeout: SILENCE, connect: { ...tls, timeout: CONNECT } };
  // As Go does it: nothing on this machine is asked through a proxy.
  if (isLocal) return new Agent(options);
  try {
    // Without a tunnel for http: many proxies allow one to the port of https alone.
    return new EnvHttpProxyAgent({ ...options, requestTls: tls, proxyTunnel: false });
  } catch {
    // Its own text would repeat the URL, in which a password may stand.
    throw new Error(
      'HTTP_PROXY or HTTPS_PROXY of the daemon is not the URL of a proxy; correct it, and start the daemon again',
    );
  }
}
