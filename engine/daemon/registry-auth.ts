/** What clients say about logins: the headers X-Registry-Auth and X-Registry-Config. Docker Engine API, "Authentication". */

import * as z from 'zod';
import { unreasonableJson } from '../image/json-shape.ts';
import { DEFAULT_DOMAIN } from '../image/reference.ts';
import type { Credentials } from '../registry/client/credentials.ts';
import { ApiError } from './api-error.ts';
import type { Call } from './call.ts';

const text = z
  .string()
  .max(16_384)
  .nullish()
  .transform((value) => value || undefined);

/** Docker's AuthConfig. */
export const AuthConfig = z.object({
  username: text,
  password: text,
  /** base64 of `USER:PASSWORD`, in place of both. */
  auth: text,
  serveraddress: text,
  identitytoken: text,
  registrytoken: text,
});
const AuthConfigs = z.record(z.string(), AuthConfig).nullable();

/** Values in one header. */
const VALUES_MAX = 5000;

/** The login for the one registry that a request is about; empty for none. @throws ApiError 400 */
export function registryAuth(call: Call): Credentials {
  const document = headerOf(call, 'X-Registry-Auth', AuthConfig.nullable());
  return document ? toCredentials(document) : {};
}

/**
 * The logins for the registries that a build may need, by the domains of references. What the client keeps under other
 * names, or in a form of its own, concerns the build only when it is asked for.
 * @throws ApiError 400; what is returned, too.
 */
export function registryConfig(call: Call): (domain: string) => Credentials {
  const documents = Object.entries(headerOf(call, 'X-Registry-Config', AuthConfigs) ?? {});
  return (domain) => {
    const exact = domain === DEFAULT_DOMAIN ? HUB_KEY : domain;
    const found = documents.find(([key]) => key === exact) ?? documents.find(([key]) => domainOfKey(key) === domain);
    return found === undefined ? {} : toCredentials(found[1]);
  };
}

/** @throws ApiError 400 */
export function toCredentials(config: z.infer<typeof AuthConfig>): Credentials {
  const { identitytoken, registrytoken } = config;
  const { username, password } = config.username === undefined && config.auth ? decoded(config.auth) : config;
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(identitytoken !== undefined && { identityToken: identitytoken }),
    ...(registrytoken !== undefined && { registryToken: registrytoken }),
  };
}

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Fa-f0-9:]+\])(?::\d{1,5})?$/;

/** Under which clients keep the login for Docker Hub. */
const HUB_KEY = 'https://index.docker.io/v1/';

/** Of an entry in a client's configuration; undefined for what is not a registry, such as Docker Hub's `…/v1/access-token`. */
function domainOfKey(key: string): string | undefined {
  const [, host = '', path = ''] = /^(?:https?:\/\/)?([^/]*)(.*)$/s.exec(key) ?? [];
  return HOST.test(host) && /^(?:\/(?:v[12]\/?)?)?$/.test(path) ? domainOf(host) : undefined;
}

/** The domain of references to the registry that clients call `server`: Docker Hub has an old URL. @throws ApiError 400 */
export function domainOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/s, '');
  if (['', 'index.docker.io', 'registry-1.docker.io'].includes(host)) return DEFAULT_DOMAIN;
  // Old clients put a user and a password here, which must not be repeated.
  if (!HOST.test(host)) throw new ApiError(400, 'the address of the registry is not HOST or HOST:PORT');
  return host;
}

/** Neither the header nor what is wrong with it is repeated: passwords stand in it. */
function headerOf<T extends z.ZodType>(call: Call, name: string, schema: T): z.infer<T> | undefined {
  const header = call.request.headers[name.toLowerCase()];
  if (header === undefined || header === '') return undefined;
  // Node reads both alphabets, of which clients use either. RFC 4648, sections 4 and 5.
  const bytes = Buffer.from(String(header), 'base64');
  try {
    if (unreasonableJson(bytes, VALUES_MAX) !== undefined) throw new Error();
    return schema.parse(JSON.parse(bytes.toString()));
  } catch {
    throw new ApiError(400, `the header ${name} is not base64 of the JSON that the API describes`);
  }
}

function decoded(auth: string): { username?: string; password?: string } {
  const pair = Buffer.from(auth, 'base64').toString();
  const colon = pair.indexOf(':');
  if (colon < 1) throw new ApiError(400, 'the login has an "auth" that is not base64 of USER:PASSWORD');
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
