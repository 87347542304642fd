import type { Call } from '../call.ts';
import { AuthConfig, domainOf, toCredentials } from '../registry-auth.ts';

/** `POST /auth`: whether a registry takes a login. The client keeps it, or the identity token that it is answered. */
export async function authRoute(call: Call): Promise<void> {
  const config = await call.body(AuthConfig);
  const connection = await call.engine.registries.connect(domainOf(config.serveraddress ?? ''), {
    credentials: toCredentials(config),
    step: 'log in',
    signal: call.signal,
  });
  const identityToken = await connection.login();
  call.send(200, { Status: 'Login Succeeded', IdentityToken: identityToken ?? '' });
}
