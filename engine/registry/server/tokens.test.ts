/** A registry that takes the tokens of a token server, which is one of the test's own. */

import { execFile } from 'node:child_process';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { hasProgram } from '../../image/test-support.ts';
import { ask, pushBlob, sha256 } from '../testing/ask.ts';
import { registryCommand, startOurRegistry } from '../testing/our-registry.ts';

const exec = promisify(execFile);
const [SERVICE, ISSUER] = ['our registry', 'the token server'];

interface Grant {
  type: string;
  name: string;
  actions: string[];
}

const on = (name: string, ...actions: string[]): Grant => ({ type: 'repository', name, actions });

function scratchDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'skiff-tokens-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function start(realm = 'http://127.0.0.1:1/token') {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = path.join(scratchDirectory(), 'keys.pem');
  const pems = [other.publicKey, publicKey].map((key) => key.export({ type: 'spki', format: 'pem' }));
  writeFileSync(keys, pems.join(''));
  const options = ['--token-realm', realm, '--token-service', SERVICE, '--token-issuer', ISSUER, '--token-keys', keys];
  const registry = await startOurRegistry(options);
  onTestFinished(() => registry.stop());
  return { registry, url: registry.url, privateKey, publicPem: pems[1]! };
}

function tokenOf(
  key: KeyObject,
  access: Grant[],
  changes: { issuer?: string; audience?: string; expires?: number } = {},
) {
  const { issuer = ISSUER, audience = SERVICE, expires = 300 } = changes;
  return new SignJWT({ access })
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(Math.floor(Date.now() / 1000) + expires)
    .sign(key);
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

test('a challenge names the realm, the service, and what the request needs', async () => {
  const { url } = await start('https://auth.test/token');
  const challengeOf = async (method: string, target: string) => {
    const { status, headers } = await ask(url, method, target);
    expect(status).toBe(401);
    return headers['www-authenticate'];
  };
  const base = `Bearer realm="https://auth.test/token",service="${SERVICE}"`;
  expect(await challengeOf('GET', '/v2/')).toBe(base);
  expect(await challengeOf('GET', '/v2/a/b/manifests/one')).toBe(`${base},scope="repository:a/b:pull"`);
  expect(await challengeOf('POST', '/v2/a/b/blobs/uploads/')).toBe(`${base},scope="repository:a/b:pull,push"`);
  expect(await challengeOf('DELETE', '/v2/a/b/manifests/one')).toBe(`${base},scope="repository:a/b:delete"`);
  expect(await challengeOf('GET', '/v2/_catalog')).toBe(`${base},scope="registry:catalog:*"`);
});

test('a token opens what it grants, and nothing else', async () => {
  const { url, privateKey } = await start();
  const requests: [string, string][] = [
    ['GET', '/v2/'],
    ['GET', '/v2/a/manifests/one'],
    ['POST', '/v2/a/blobs/uploads/'],
    ['DELETE', '/v2/a/manifests/one'],
    ['GET', '/v2/_catalog'],
    ['GET', '/v2/b/manifests/one'],
  ];
  const statuses = async (access: Grant[]) => {
    const token = await tokenOf(privateKey, access);
    return await Promise.all(
      requests.map(async ([method, path]) => (await ask(url, method, path, bearer(token))).status),
    );
  };
  expect(await statuses([])).toEqual([200, 401, 401, 401, 401, 401]);
  expect(await statuses([on('a', 'pull')])).toEqual([200, 404, 401, 401, 401, 401]);
  expect(await statuses([on('a', 'pull', 'push')])).toEqual([200, 404, 202, 401, 401, 401]);
  expect(await statuses([on('a', '*'), on('b', 'pull')])).toEqual([200, 404, 202, 404, 401, 404]);
  expect(await statuses([{ type: 'registry', name: 'catalog', actions: ['*'] }])).toEqual([
    200, 401, 401, 401, 200, 401,
  ]);
  const refused = await ask(url, 'POST', '/v2/a/blobs/uploads/', bearer(await tokenOf(privateKey, [on('a', 'pull')])));
  expect(refused.headers['www-authenticate']).toMatch(/scope="repository:a:pull,push",error="insufficient_scope"$/);
});

test('a mount needs a token that may read the other repository', async () => {
  const { url, privateKey } = await start();
  const token = await tokenOf(privateKey, [on('secret', 'pull', 'push')]);
  const digest = sha256('a secret');
  const push = `/v2/secret/blobs/uploads/?digest=${digest}`;
  expect((await ask(url, 'POST', push, { ...bearer(token), body: 'a secret' })).status).toBe(201);
  const mount = async (to: string, from: string, ...access: Grant[]) => {
    const token = await tokenOf(privateKey, [on(to, 'pull', 'push'), ...access]);
    return (await ask(url, 'POST', `/v2/${to}/blobs/uploads/?mount=${digest}${from}`, bearer(token))).status;
  };
  for (const [to, from] of [
    ['named', '&from=secret'],
    ['found', ''],
  ] as const) {
    expect(await mount(to, from)).toBe(202);
    expect(await mount(to, from, on('secret', 'pull'))).toBe(201);
  }
});

test('a token that is forged, for others, too old or malformed opens nothing', async () => {
  const { url, privateKey, publicPem } = await start();
  const all = [on('a', 'pull')];
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: ISSUER, aud: SERVICE, exp: Math.floor(Date.now() / 1000) + 300, access: all };
  const good = await tokenOf(privateKey, all);
  const symmetric = `${encoded({ alg: 'HS256' })}.${encoded(claims)}`;
  const { exp: _, ...endless } = claims;
  const unending = `${encoded({ alg: 'ES256' })}.${encoded(endless)}`;
  const signature = sign('sha256', Buffer.from(unending), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const bad = [
    await tokenOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, all),
    await tokenOf(privateKey, all, { issuer: 'another' }),
    await tokenOf(privateKey, all, { audience: 'another registry' }),
    await tokenOf(privateKey, all, { expires: -120 }),
    `${encoded({ alg: 'none' })}.${encoded(claims)}.`,
    `${symmetric}.${createHmac('sha256', publicPem).update(symmetric).digest('base64url')}`,
    `${unending}.${signature.toString('base64url')}`,
    good.slice(0, -2),
    'a.b.c',
    'x'.repeat(20_000),
  ];
  expect((await ask(url, 'GET', '/v2/', bearer(good))).status).toBe(200);
  for (const token of bad) {
    const refused = await ask(url, 'GET', '/v2/', bearer(token));
    expect([token, refused.status]).toEqual([token, 401]);
    expect(refused.text).not.toContain(token);
  }
});

test('half of the options, or passwords beside tokens, are refused at the start', () => {
  const serve = (...words: string[]) => registryCommand('serve', '--data', scratchDirectory(), ...words).text;
  expect(serve('--token-realm', 'https://auth.test')).toContain('belong together');
  const file = path.join(scratchDirectory(), 'empty');
  writeFileSync(file, '');
  const four = [
    '--token-realm',
    'https://auth.test',
    '--token-service',
    's',
    '--token-issuer',
    'i',
    '--token-keys',
    file,
  ];
  expect(serve(...four)).toContain('has no public key');
});

test.skipIf(!hasProgram('skopeo') || !hasProgram('umoci'))(
  'skopeo fetches tokens with its password, pushes, mounts and pulls (needs skopeo, umoci)',
  async () => {
    let privateKey: KeyObject | undefined;
    const asked: string[] = [];
    const server = http.createServer(async (request, response) => {
      const scopes = new URL(request.url!, 'http://x').searchParams.getAll('scope');
      asked.push(...scopes);
      const login = Buffer.from(`${request.headers.authorization}`.split(' ')[1] ?? '', 'base64').toString();
      const access =
        login !== 'ann:secret'
          ? []
          : scopes.map((scope) => on(scope.split(':')[1]!, ...scope.split(':')[2]!.split(',')));
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ token: await tokenOf(privateKey!, access), expires_in: 300 }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const { registry, privateKey: own } = await start(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    );
    privateKey = own;
    const layout = path.join(scratchDirectory(), 'image');
    await exec('umoci', ['init', '--layout', layout]);
    await exec('umoci', ['new', '--image', `${layout}:one`]);
    await exec('umoci', ['insert', '--rootless', '--image', `${layout}:one`, path.join(layout, 'oci-layout'), '/file']);
    const there = (name: string) => `docker://${registry.host}/${name}:one`;
    const login = ['--src-tls-verify=false', '--dest-tls-verify=false', '--dest-creds', 'ann:secret'];
    await exec('skopeo', ['copy', ...login, `oci:${layout}:one`, there('first')]);
    await exec('skopeo', ['copy', ...login, '--src-creds', 'ann:secret', there('first'), there('second')]);
    await exec('skopeo', [
      'copy',
      '--src-tls-verify=false',
      '--src-creds',
      'ann:secret',
      there('second'),
      `dir:${layout}-pulled`,
    ]);
    expect(asked).toContain('repository:first:pull,push');
    await expect(exec('skopeo', ['inspect', '--tls-verify=false', there('first')])).rejects.toThrow(
      /unauthorized|denied|authentication/i,
    );
    await expect(pushBlob(registry.url, 'first', 'x')).rejects.toThrow(/^401/);
    expect(registryCommand('check', '--data', registry.data).code).toBe(0);
    expect(registry.log()).toBe('');
  },
);
