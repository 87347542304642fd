/** From the name of a registry to the places where it may be asked, in order. */

import { DEFAULT_DOMAIN } from '../../image/reference.ts';

export interface RegistryOptions {
  /** `--registry-mirror`: base URLs that are asked before Docker Hub, for pulls only. */
  mirrors?: string[];
  /** `--insecure-registry`: `HOST[:PORT]` or a range of addresses such as `10.0.0.0/8`. Loopback is insecure by itself. */
  insecure?: string[];
  /** Directories that hold `HOST[:PORT]/*.crt`, `*.cert` and `*.key`; Docker's unless given. */
  certificates?: string[];
  /** How many layers of one pull are fetched at the same time. 3 unless given. */
  concurrency?: number;
}

export interface Endpoint {
  /** Scheme, host and port, and for mirrors perhaps a path; without a slash at the end. */
  url: string;
  isMirror: boolean;
}

/** Where Docker Hub really is. */
const HUB = 'registry-1.docker.io';

/** @param domain of a reference, e.g. `docker.io` or `localhost:5000`. */
export function endpointsOf(domain: string, options: RegistryOptions, use: 'pull' | 'push' = 'pull'): Endpoint[] {
  const host = domain === DEFAULT_DOMAIN ? HUB : domain;
  const mirrors = domain === DEFAULT_DOMAIN && use === 'pull' ? (options.mirrors ?? []) : [];
  return [
    ...mirrors.map((url) => ({ url: url.replace(/\/+$/, ''), isMirror: true })),
    { url: `https://${host}`, isMirror: false },
    ...(isInsecure(host, options.insecure ?? []) ? [{ url: `http://${host}`, isMirror: false }] : []),
  ];
}

/** @throws Error unless it is a base URL of a registry. */
export function checkMirror(text: string): string {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Said below.
  }
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username || url.password)
    throw new Error(
      `--registry-mirror must be an http or https URL without user, query and fragment, not "${text.replace(/\/\/.*@/, '//…@')}".`,
    );
  return text;
}

/** @throws Error unless it is a host, perhaps with a port, or a range of addresses. */
export function checkInsecure(text: string): string {
  if (
    parseRange(text) === undefined &&
    !/^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/.test(text)
  )
    throw new Error(`--insecure-registry must be HOST, HOST:PORT or a range such as 10.0.0.0/8, not "${text}".`);
  return text;
}

/** Whether a certificate that is not trusted is good enough for a host. A URL has no port where that is the usual one. */
export function trustsAny({ protocol, host, port }: URL, { insecure = [] }: RegistryOptions): boolean {
  return isInsecure(host, insecure) || (protocol === 'https:' && port === '' && isInsecure(`${host}:443`, insecure));
}

/** @param place `HOST[:PORT]` */
function isInsecure(place: string, insecure: string[]): boolean {
  const host = place.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  const isNamed = (name: string) => (name === DEFAULT_DOMAIN ? HUB : name.toLowerCase()) === place.toLowerCase();
  if (isLoopback(host) || insecure.some(isNamed)) return true;
  return insecure.some((each) => {
    const range = parseRange(each);
    return range !== undefined && inRange(host, range);
  });
}

/** @param host a name or an address, without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

interface Range {
  address: number;
  bits: number;
}

function parseRange(text: string): Range | undefined {
  const [, address, bits] = /^(\d+\.\d+\.\d+\.\d+)\/(\d{1,2})$/.exec(text) ?? [];
  const number = address === undefined ? undefined : parseAddress(address);
  return number === undefined || Number(bits) > 32 ? undefined : { address: number, bits: Number(bits) };
}

function parseAddress(text: string): number | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return undefined;
  const parts = text.split('.').map(Number);
  return parts.some((part) => part > 255) ? undefined : parts.reduce((sum, part) => sum * 256 + part, 0);
}

function inRange(host: string, { address, bits }: Range): boolean {
  const number = parseAddress(host);
  const block = 2 ** (32 - bits);
  return number !== undefined && Math.floor(number / block) === Math.floor(address / block);
}
