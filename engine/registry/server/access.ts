/** Who may do what. */

import { type Action, RequestRefused } from '#contract/registry';
import type { Htpasswd } from './htpasswd.ts';
import type { Tokens } from './tokens.ts';

export type Permit = (action: Action, repository: string) => Promise<void>;

export interface AccessOptions {
  readOnly: boolean;
  noDelete: boolean;
  /** At most one of these two. Without either everybody may do everything. */
  htpasswd?: Htpasswd;
  tokens?: Tokens;
  /** The only ones that may push and delete. Absent: everyone that has a password. */
  writers?: readonly string[];
}

/** The `permit` of a request with that Authorization header. It names no password, whatever it throws. */
export function permitFor(options: AccessOptions, authorization: string | undefined): Permit {
  let user: Promise<string | undefined> | undefined;
  return async (action, repository) => {
    const changes = action === 'push' || action === 'delete';
    if (options.readOnly && changes) throw new RequestRefused(405, 'UNSUPPORTED', 'this registry is read-only');
    if (options.noDelete && action === 'delete')
      throw new RequestRefused(405, 'UNSUPPORTED', 'this registry deletes nothing');
    if (options.tokens !== undefined) return await options.tokens.require(authorization, action, repository);
    if (options.htpasswd === undefined) return;
    user ??= userOf(options.htpasswd, authorization);
    const name = await user;
    if (name === undefined) throw unauthorized(authorization);
    if (changes && options.writers?.includes(name) === false)
      throw new RequestRefused(403, 'DENIED', `${name} may pull from this registry, and change nothing`);
  };
}

/** RFC 7617; undefined without a login, and for one that is wrong. */
async function userOf(htpasswd: Htpasswd, authorization: string | undefined): Promise<string | undefined> {
  const [, encoded = ''] = /^basic +([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '') ?? [];
  const login = Buffer.from(encoded, 'base64').toString();
  const colon = login.indexOf(':');
  if (colon < 1) return undefined;
  const name = login.slice(0, colon);
  return (await htpasswd.verify(name, login.slice(colon + 1))) ? name : undefined;
}

function unauthorized(authorization: string | undefined): RequestRefused {
  const message =
    authorization === undefined ? 'this registry asks for a name and a password' : 'the name or the password is wrong';
  return new RequestRefused(401, 'UNAUTHORIZED', message, {
    headers: { 'www-authenticate': 'Basic realm="skiff registry", charset="UTF-8"' },
  });
}
