import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { plainEnv, runSkiff } from '../cli/testing/ran.ts';
import { UploadRegistry } from '../registry/testing/upload-registry.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();
const PASSWORD = 'a pass:word, "quoted"';
const IDENTITY = 'identity-token-of-ada';

interface Asked {
  method: string;
  parameters: URLSearchParams;
  authorization: string | undefined;
}

/** Gives access tokens that name their scopes, and identity tokens if it is asked for them. Distribution, "Token Authentication". */
class TokenServer {
  readonly asked: Asked[] = [];
  readonly #server = http.createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const method = request.method ?? '';
    const parameters = method === 'POST' ? new URLSearchParams(await text(request)) : url.searchParams;
    const { authorization } = request.headers;
    this.asked.push({ method, parameters, authorization });
    const isKnown =
      authorization === `Basic ${Buffer.from(`ada:${PASSWORD}`).toString('base64')}` ||
      parameters.get('refresh_token') === IDENTITY;
    if (!isKnown) return response.writeHead(401).end('{"details":"incorrect username or password"}');
    const token = `access.${Buffer.from(parameters.getAll('scope').join(' ')).toString('base64url')}`;
    const refresh = parameters.get('offline_token') === 'true' ? { refresh_token: IDENTITY } : {};
    response.end(JSON.stringify({ token, access_token: token, expires_in: 300, ...refresh }));
  });

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe.skipIf(missing)('a registry with a token server', () => {
  let daemon: TestDaemon;
  let registry: UploadRegistry;
  let tokens: TokenServer;
  let config: string;
  const refusals: string[] = [];

  beforeAll(async () => {
    daemon = await TestDaemon.start();
    registry = await UploadRegistry.start();
    tokens = new TokenServer();
    const realm = await tokens.listen();
    config = path.join(daemon.root, 'docker');
    const challenge = { 'WWW-Authenticate': `Bearer realm="${realm}",service="a, \\"quoted\\" service"` };
    registry.hello = ({ headers }) =>
      headers.authorization?.startsWith('Bearer access.') ? undefined : { status: 401, headers: challenge };
    registry.fault = ({ path: asked, headers, method }) => {
      const scopes = Buffer.from(headers.authorization?.split('.')[1] ?? '', 'base64url').toString();
      const repository = /^(.+?)\/(?:blobs|manifests)\//.exec(asked)?.[1];
      if (scopes.includes(`repository:${repository}:pull,push`)) return undefined;
      refusals.push(`${method} ${asked} with ${scopes}`);
      return { status: 401, headers: challenge };
    };
    await daemon.docker('tag', 'hostbox', `${registry.host}/ada/box`);
  });
  afterAll(async () => {
    tokens?.close();
    await registry?.close();
    expect(await daemon?.destroy()).toEqual([]);
  });
  beforeEach(() => {
    fs.rmSync(config, { recursive: true, force: true });
    tokens.asked.length = 0;
    registry.seen.length = 0;
  });

  const skiff = (args: string[], input = '') =>
    runSkiff(['--socket', daemon.socket, ...args], { env: plainEnv({ DOCKER_CONFIG: config }), input });
  const login = (program: string, password = PASSWORD) => {
    const args = ['login', '-u', 'ada', '--password-stdin', registry.host];
    return program === 'skiff' ? skiff(args, password) : daemon.dockerWithInput(password, ...args);
  };

  test.each(['skiff', 'docker'])(
    '%s login keeps an identity token in place of the password, and push uses it',
    async (program) => {
      expect((await login(program)).code).toBe(0);
      const { auths } = JSON.parse(fs.readFileSync(path.join(config, 'config.json'), 'utf8'));
      expect(auths[registry.host].identitytoken).toBe(IDENTITY);
      expect(Buffer.from(auths[registry.host].auth, 'base64').toString()).not.toContain(PASSWORD);
      expect(tokens.asked[0]?.parameters.get('service')).toBe('a, "quoted" service');

      tokens.asked.length = 0;
      for (const { code, stdout, stderr } of [
        await skiff(['push', `${registry.host}/ada/box`]),
        await daemon.docker('push', `${registry.host}/ada/box`),
      ]) {
        expect({ code, stderr, pushed: /latest: digest: sha256:/.test(stdout) }).toEqual({
          code: 0,
          stderr: '',
          pushed: true,
        });
      }
      expect(refusals).toEqual([]);
      for (const { method, parameters, authorization } of tokens.asked) {
        expect({ method, authorization }).toEqual({ method: 'POST', authorization: undefined });
        expect(parameters.get('grant_type')).toBe('refresh_token');
        expect(parameters.get('scope')).toContain('repository:ada/box:pull,push');
      }
      // A token is asked for once and used until it expires.
      expect(tokens.asked.length).toBeLessThanOrEqual(2);
    },
  );

  test('a login with another password is refused with the token server’s reason, and a login is wanted then', async () => {
    for (const program of ['skiff', 'docker']) {
      const { code, stdout, stderr } = await login(program, 'not-this-one');
      expect(code).toBe(1);
      expect(stderr).toContain('incorrect username or password');
      expect(stdout + stderr).not.toContain('not-this-one');
    }
    const { code, stderr } = await daemon.docker('push', `${registry.host}/ada/box`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/wants a login/);
  });

  test('nothing secret is in an event or in what the daemon says', async () => {
    await login('docker');
    await daemon.docker('push', `${registry.host}/ada/box`);
    const { stdout } = await daemon.docker('events', '--since', '0', '--until', '0s');
    for (const secret of [PASSWORD, IDENTITY, 'access.']) expect(stdout + daemon.errors).not.toContain(secret);
  });
});
