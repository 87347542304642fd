/** Under which name the credentials for a registry are kept. The docker command's rules, since both share the places. */

/** Docker Hub's, for historical reasons a whole URL. */
export const HUB_KEY = 'https://index.docker.io/v1/';

/** @param server what a user calls a registry: a host, a host and port, a URL; `docker.io` and nothing are Docker Hub. */
export function serverKey(server: string): string {
  const host = hostOf(server);
  return ['', 'docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(host) ? HUB_KEY : host;
}

/**
 * The key that an entry in the configuration is meant for; undefined for what is not a registry, such as Docker Hub's
 * `…/v1/access-token`.
 */
export function keyOfEntry(name: string): string | undefined {
  const [, host = '', path = ''] = /^(?:https?:\/\/)?([^/]*)(.*)$/s.exec(name) ?? [];
  return HOST.test(host) && /^(?:\/(?:v[12]\/?)?)?$/.test(path) ? serverKey(host) : undefined;
}

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Fa-f0-9:]+\])(?::\d{1,5})?$/;

/** Older entries are URLs: `https://HOST/v1/` is `HOST`. */
export function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').replace(/\/.*$/s, '');
}

/** The key of the registry that an image is in. distribution/reference, "splitDockerDomain". */
export function keyOfImage(reference: string): string {
  const slash = reference.indexOf('/');
  const first = reference.slice(0, Math.max(slash, 0));
  const isHost = slash !== -1 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  return isHost ? serverKey(first) : HUB_KEY;
}

/**
 * The key of the registry that a search goes to. Other than in the name of an image, a capital makes no host: the API's
 * rule, by which the daemon decides where the login goes.
 */
export function keyOfTerm(term: string): string {
  const slash = term.indexOf('/');
  const first = term.slice(0, Math.max(slash, 0));
  return /[.:]/.test(first) || first === 'localhost' ? serverKey(first) : HUB_KEY;
}

/** `app` of Docker Hub is `docker.io/library/app`. @param name without tag and digest. */
export function completeName(name: string): string {
  if (keyOfImage(name) !== HUB_KEY) return name;
  const path = name.replace(/^(?:index\.)?docker\.io\//, '');
  return `docker.io/${path.includes('/') ? path : `library/${path}`}`;
}
