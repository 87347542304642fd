/** How one registry is told who asks. Nothing of it is ever written into an error, a log or an event. */
export interface Credentials {
  username?: string;
  password?: string;
  /** In exchange for which a token server gives access tokens; it has the place of a password. */
  identityToken?: string;
  /** Sent as it is: somebody else has asked the token server. */
  registryToken?: string;
}

export function basicAuthorization({ username, password }: Credentials): string | undefined {
  if (username === undefined || username === '') return undefined;
  return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
}
