/** Under which name the credentials for a registry are kept. The docker command's rules, since both share the places. */

/** Docker Hub's, for historical reasons a whole URL. */
export const HUB_KEY = 'https://index.docker.io/v1/';

/** @param server what a user calls a registry: a host, a host and port, a URL; `docker.io` and nothing are Docker Hub. */
export function serverKey(server: string): string {
  if (['', 'docker.io', 'index.docker.io', 'registry-1.docker.io', HUB_KEY].includes(server)) return HUB_KEY;
  return hostOf(server);
}

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

/** `app` of Docker Hub is `docker.io/library/app`. @param name without tag and digest. */
export function completeName(name: string): string {
  if (keyOfImage(name) !== HUB_KEY) return name;
  const path = name.replace(/^(?:index\.)?docker\.io\//, '');
  return `docker.io/${path.includes('/') ? path : `library/${path}`}`;
}
