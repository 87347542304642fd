import { text } from 'node:stream/consumers';
import * as z from 'zod/mini';
import type { ApiClient } from '../api-client.ts';
import { SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { ApiError, CliError } from '../errors.ts';
import { complain, say } from '../output.ts';
import { askLine, askSecret } from '../prompt.ts';
import { HUB_KEY, serverKey } from '../registry/addresses.ts';
import { type AuthConfig, credentialsFor, storeCredentials } from '../registry/credentials.ts';

interface LoginOptions {
  username?: string;
  password?: string;
  passwordStdin?: boolean;
}

const LoginSchema = z.looseObject({
  Status: z._default(z.string(), ''),
  IdentityToken: z._default(z.string(), ''),
});

export function loginCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('login')
    .description('Authenticate to a registry. Defaults to Docker Hub if no server is specified.')
    .operands('[SERVER]', 0, 1)
    .option('-p, --password <password>', 'Password or Personal Access Token (PAT)')
    .option('--password-stdin', 'Take the Password or Personal Access Token (PAT) from stdin')
    .option('-u, --username <name>', 'Username')
    .examples('skiff login', 'skiff login -u sailor --password-stdin localhost:5000 < password.txt')
    .run(async ([server = ''], options: LoginOptions) => {
      // Other users see the arguments of a process; setting its title writes over them.
      if (options.password !== undefined) process.title = 'skiff login';
      const key = serverKey(server);
      const auth = await credentials(client, key, options);
      const file = await storeCredentials(auth);
      if (file !== undefined)
        complain(
          `WARNING! Your password is stored in ${file} without encryption.\n` +
            'To encrypt it, install a credential helper and name it there as "credsStore".\n',
        );
      say('Login Succeeded');
    });
}

/** Credentials that the registry accepts. */
async function credentials(client: ApiClient, key: string, options: LoginOptions): Promise<AuthConfig> {
  const { username, password, passwordStdin } = options;
  if (password !== undefined && passwordStdin)
    throw new CliError('--password and --password-stdin are mutually exclusive');
  if (passwordStdin && !username) throw new CliError('Must provide --username with --password-stdin');
  if (password !== undefined) complain('WARNING! Using --password via the CLI is insecure. Use --password-stdin.');
  const given = passwordStdin ? (await text(process.stdin)).replace(/\r?\n$/, '') : password;

  const known = await credentialsFor(key);
  if (known !== undefined && given === undefined && (!username || username === known.username)) {
    complain('Authenticating with existing credentials...');
    try {
      return await accepted(client, known);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401 || !process.stdin.isTTY) throw error;
      complain(`Login did not succeed, error: ${error.message}`);
    }
  }
  if ((given === undefined || !username) && !process.stdin.isTTY)
    throw new CliError(
      'Cannot perform an interactive login from a non TTY device: use --username and --password-stdin',
    );
  if (known?.username === undefined && !username && key === HUB_KEY)
    say('Log in to Docker Hub with your Docker ID; a personal access token serves as the password.');
  const shown = known?.username === undefined ? '' : ` (${known.username})`;
  const user = username || (await askLine(`Username${shown}: `)).trim() || known?.username;
  if (!user) throw new CliError('username is empty');
  const secret = given ?? (await askSecret('Password: '));
  if (secret === '') throw new CliError('password is empty');
  return await accepted(client, { serveraddress: key, username: user, password: secret });
}

/** @returns what is to be kept: an identity token in place of the password, if the registry gives one. @throws ApiError */
async function accepted(client: ApiClient, auth: AuthConfig): Promise<AuthConfig> {
  const { IdentityToken } = await client.json('POST', '/auth', LoginSchema, { body: auth });
  if (IdentityToken === '') return auth;
  const { password: _, ...rest } = auth;
  return { ...rest, identitytoken: IdentityToken };
}
