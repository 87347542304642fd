/** Who may do what: passwords, TLS, read-only. */

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { hashSync } from 'bcryptjs';
import { expect, onTestFinished, test } from 'vitest';
import { hasProgram } from '../../image/test-support.ts';
import { ask, manifestOf, pushBlob, pushImage, putManifest, sha256 } from '../testing/ask.ts';
import { registryCommand, startOurRegistry } from '../testing/our-registry.ts';

const exec = promisify(execFile);

function scratchDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'skiff-access-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function start(options: string[], data?: string) {
  const registry = await startOurRegistry(options, data);
  onTestFinished(() => registry.stop());
  return registry;
}

/** A file of names, whose passwords are `NAME's secret`. */
function htpasswdFile(...names: string[]): string {
  const file = path.join(scratchDirectory(), 'htpasswd');
  writeFileSync(file, names.map((name) => `${name}:${hashSync(`${name}'s secret`, 4)}\n`).join(''));
  return file;
}

const basic = (name: string, password = `${name}'s secret`) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
});

test('without a password, or with a wrong one, nothing is told', async () => {
  const registry = await start(['--htpasswd', htpasswdFile('ann')]);
  const { url } = registry;
  const requests: [string, string][] = [
    ['GET', '/v2/'],
    ['GET', '/v2/_catalog'],
    ['GET', '/v2/a/tags/list'],
    ['GET', '/v2/a/manifests/one'],
    ['PUT', '/v2/a/manifests/one'],
    ['DELETE', '/v2/a/manifests/one'],
    ['GET', `/v2/a/blobs/${sha256('')}`],
    ['DELETE', `/v2/a/blobs/${sha256('')}`],
    ['POST', '/v2/a/blobs/uploads/'],
    ['PATCH', '/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000'],
    ['PUT', `/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000?digest=${sha256('')}`],
    ['GET', '/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000'],
    ['DELETE', '/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000'],
    ['GET', `/v2/a/referrers/${sha256('')}`],
  ];
  const logins = [
    {},
    basic('ann', 'guess'),
    basic('bob'),
    basic('ann', ''),
    { authorization: 'Basic !' },
    { authorization: 'Bearer x' },
  ];
  for (const [method, target] of requests) {
    for (const headers of logins) {
      const refused = await ask(url, method, target, { headers });
      expect([method, target, refused.status]).toEqual([method, target, 401]);
      expect(refused.headers['www-authenticate']).toMatch(/^Basic realm="/);
      expect(refused.json.errors[0].code).toBe('UNAUTHORIZED');
    }
  }
  expect((await ask(url, 'GET', '/v2/', { headers: basic('ann') })).status).toBe(200);
  expect(registry.log()).not.toContain('secret');
});

test('a name that is added to the file may log in, and one that is removed may not', async () => {
  const file = htpasswdFile('ann', 'bob');
  const { url } = await start(['--htpasswd', file]);
  expect((await ask(url, 'GET', '/v2/', { headers: basic('bob') })).status).toBe(200);
  writeFileSync(file, `ann:${hashSync("ann's secret", 4)}\n# nobody else\ncarl:${hashSync("carl's secret", 5)}\n`);
  expect((await ask(url, 'GET', '/v2/', { headers: basic('bob') })).status).toBe(401);
  expect((await ask(url, 'GET', '/v2/', { headers: basic('carl') })).status).toBe(200);
});

test('only writers push and delete', async () => {
  const { url } = await start(['--htpasswd', htpasswdFile('ann', 'bob'), '--writers', 'ann']);
  const begin = (name: string) => ask(url, 'POST', '/v2/a/blobs/uploads/', { headers: basic(name) });
  expect((await begin('ann')).status).toBe(202);
  const refused = await begin('bob');
  expect([refused.status, refused.json.errors[0].code]).toEqual([403, 'DENIED']);
  const listed = await ask(url, 'GET', '/v2/_catalog', { headers: basic('bob') });
  expect(listed.status).toBe(200);
});

test.each([
  ['a hash that is not bcrypt', 'ann:$apr1$x$y\n', 'line 1'],
  ['no hash', '\nann\n', 'line 2'],
])('a file with %s is refused at the start', (_what, content, where) => {
  const file = path.join(scratchDirectory(), 'htpasswd');
  writeFileSync(file, content);
  const data = scratchDirectory();
  const { code, text } = registryCommand('serve', '--listen', '127.0.0.1:0', '--data', data, '--htpasswd', file);
  expect([code, text]).toEqual([1, expect.stringContaining(where)]);
  expect(text).toContain('htpasswd -B');
});

test('a read-only registry serves and changes nothing; one without deletion deletes nothing', async () => {
  const data = scratchDirectory();
  const first = await startOurRegistry([], data);
  const manifest = await pushImage(first.url, 'a', 'one');
  await first.stop();

  const readOnly = await startOurRegistry(['--read-only'], data);
  expect((await ask(readOnly.url, 'GET', '/v2/a/manifests/one')).text).toBe(manifest);
  for (const [method, target] of [
    ['POST', '/v2/a/blobs/uploads/'],
    ['PUT', '/v2/a/manifests/two'],
    ['DELETE', '/v2/a/manifests/one'],
  ] as const) {
    const refused = await ask(readOnly.url, method, target);
    expect([refused.status, refused.json.errors[0].code]).toEqual([405, 'UNSUPPORTED']);
  }
  await readOnly.stop();

  const noDelete = await startOurRegistry(['--no-delete'], data);
  onTestFinished(() => noDelete.stop());
  await pushBlob(noDelete.url, 'a', '{}');
  expect((await putManifest(noDelete.url, 'a', 'two', manifestOf('{}', []))).status).toBe(201);
  for (const target of ['manifests/one', `manifests/${sha256(manifest)}`, `blobs/${sha256('{}')}`])
    expect((await ask(noDelete.url, 'DELETE', `/v2/a/${target}`)).status).toBe(405);
});

/** A certificate for 127.0.0.1 that signs itself. */
function certificate(): { directory: string; options: string[] } {
  const directory = scratchDirectory();
  const [cert, key] = [path.join(directory, 'ca.crt'), path.join(directory, 'key.pem')];
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1';
  const options = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert];
  execFileSync('openssl', [...words.split(' '), ...options], { stdio: 'ignore' });
  return { directory, options: ['--tls-cert', cert, '--tls-key', key] };
}

test.skipIf(!hasProgram('openssl'))('it speaks TLS with a certificate of its own (needs openssl)', async () => {
  const { directory, options } = certificate();
  const { url } = await start(options);
  expect(url).toMatch(/^https:/);
  const ca = readFileSync(path.join(directory, 'ca.crt'));
  const status = await new Promise((resolve, reject) => {
    https
      .get(`${url}/v2/`, { ca, agent: false }, (response) => resolve(response.resume().statusCode))
      .on('error', reject);
  });
  expect(status).toBe(200);
  const code = await new Promise((resolve) => {
    https.get(`${url}/v2/`, { agent: false }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  expect(code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
});

test('a certificate without its key is refused at the start', () => {
  const data = scratchDirectory();
  const { code, text } = registryCommand('serve', '--data', data, '--tls-cert', 'cert.pem');
  expect([code, text]).toEqual([1, expect.stringContaining('--tls-cert and --tls-key belong together')]);
});

test.skipIf(!hasProgram('skopeo') || !hasProgram('openssl'))(
  'skopeo logs in over TLS, pushes and pulls (needs skopeo, openssl)',
  async () => {
    const { directory, options } = certificate();
    const { host, data } = await start([...options, '--htpasswd', htpasswdFile('ann')]);
    const layout = path.join(directory, 'image');
    await makeLayout(layout);
    const [auth, certs] = [path.join(directory, 'auth.json'), directory];
    const login = [
      'login',
      '--authfile',
      auth,
      '--cert-dir',
      certs,
      '--username',
      'ann',
      '--password',
      "ann's secret",
      host,
    ];
    await exec('skopeo', login);
    const access = ['--authfile', auth, '--dest-cert-dir', certs];
    await exec('skopeo', ['copy', ...access, `oci:${layout}:one`, `docker://${host}/a/b:one`]);
    const { stdout } = await exec('skopeo', [
      'inspect',
      '--raw',
      '--authfile',
      auth,
      '--cert-dir',
      certs,
      `docker://${host}/a/b:one`,
    ]);
    expect(JSON.parse(stdout).layers).toHaveLength(1);
    await expect(
      exec('skopeo', ['inspect', '--cert-dir', certs, '--no-creds', `docker://${host}/a/b:one`]),
    ).rejects.toThrow(/unauthorized|authentication/i);
    expect(registryCommand('check', '--data', data).code).toBe(0);
  },
);

async function makeLayout(layout: string): Promise<void> {
  await exec('umoci', ['init', '--layout', layout]);
  await exec('umoci', ['new', '--image', `${layout}:one`]);
  await exec('umoci', ['insert', '--rootless', '--image', `${layout}:one`, path.join(layout, 'oci-layout'), '/file']);
}
