import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HUB_KEY, keyOfImage, keyOfTerm, serverKey } from './addresses.ts';
import { allCredentials, authHeader, credentialsFor, eraseCredentials, registryAuth } from './credentials.ts';

/** Keeps nothing but what stands in the directory of its own, one file a server. */
const HELPER = `#!/bin/sh
cd "$(dirname "$0")/kept" || exit 1
case "$1" in
list) printf '{"https://index.docker.io/v1/":"ada","https://index.docker.io/v1/access-token":"ada"}' ;;
*) read -r server; file=$(printf %s "$server" | tr / _)
  test -f "$file" || { printf 'credentials not found in native keychain\\n'; exit 1; }
  if test "$1" = get; then cat "$file"; else rm "$file"; fi ;;
esac
`;

const auth = (pair: string) => ({ auth: Buffer.from(pair).toString('base64') });
const TOKENS = {
  'https://index.docker.io/v1/access-token': auth('ada:access'),
  'https://index.docker.io/v1/refresh-token': auth('ada:refresh'),
};

let directory: string;
let warnings: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-credentials-'));
  vi.stubEnv('DOCKER_CONFIG', directory);
  vi.stubEnv('PATH', `${directory}:${process.env.PATH}`);
  warnings = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    warnings += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  fs.rmSync(directory, { recursive: true });
});

const file = () => path.join(directory, 'config.json');
const write = (document: unknown) => fs.writeFileSync(file(), JSON.stringify(document));
const auths = () => Object.keys(JSON.parse(fs.readFileSync(file(), 'utf8')).auths ?? {});
const sent = (header: Record<string, string>) =>
  JSON.parse(Buffer.from(header['X-Registry-Auth']!, 'base64url').toString());

describe('docker’s tokens beside the login for Docker Hub', () => {
  test('are not sent with a build, nor taken for the login', async () => {
    write({ auths: { [HUB_KEY]: auth('ada:own'), ...TOKENS, 'https://host/project': auth('ada:project') } });
    expect(Object.keys(await allCredentials())).toEqual([HUB_KEY]);
    expect(await credentialsFor(HUB_KEY)).toMatchObject({ password: 'own' });
    write({ auths: { ...TOKENS, 'https://host/project': auth('ada:project') } });
    expect(await credentialsFor(HUB_KEY)).toBeUndefined();
    expect(await credentialsFor('host')).toBeUndefined();
  });

  test('go with a logout, from the file and from a helper', async () => {
    write({ auths: { [HUB_KEY]: auth('ada:own'), ...TOKENS, other: auth('ada:other') } });
    expect(await eraseCredentials(HUB_KEY)).toBe(true);
    expect(auths()).toEqual(['other']);

    write({ credsStore: 'shelf', auths: { [HUB_KEY]: {} } });
    fs.writeFileSync(path.join(directory, 'docker-credential-shelf'), HELPER, { mode: 0o755 });
    fs.mkdirSync(path.join(directory, 'kept'));
    for (const server of [HUB_KEY, ...Object.keys(TOKENS)])
      fs.writeFileSync(path.join(directory, 'kept', server.replaceAll('/', '_')), '{"Username":"ada","Secret":"own"}');
    expect(Object.keys(await allCredentials())).toEqual([HUB_KEY]);
    expect(await eraseCredentials(HUB_KEY)).toBe(true);
    expect(fs.readdirSync(path.join(directory, 'kept'))).toEqual([]);
    expect(auths()).toEqual([]);
    expect(await eraseCredentials(HUB_KEY)).toBe(false);
  });
});

describe('a login that cannot be had is warned of, and the request goes on without it:', () => {
  test('a helper that is not installed', async () => {
    write({ credsStore: 'nowhere', auths: { host: auth('ada:own') }, credHelpers: { other: 'lost' } });
    expect(sent(await registryAuth('alpine'))).toEqual({});
    expect(warnings).toMatch(
      /^WARNING! .*docker-credential-nowhere is not installed.*Going on without this login\.\n$/,
    );
    expect(await allCredentials()).toEqual({});
    expect(warnings).toContain('docker-credential-lost is not installed');
    await expect(credentialsFor(HUB_KEY)).rejects.toThrow('is not installed');
  });

  test('a damaged entry, beside which the others are sent', async () => {
    write({ auths: { bad: auth('secret'), host: auth('ada:own') } });
    expect(await allCredentials()).toEqual({ host: { serveraddress: 'host', username: 'ada', password: 'own' } });
    expect(warnings).toContain('the login for bad in');
    expect(warnings).not.toContain('secret');
  });
});

describe('which registry is meant', () => {
  test('Docker Hub has many names', () => {
    for (const name of ['', 'docker.io', 'https://docker.io', 'https://index.docker.io/', HUB_KEY])
      expect(serverKey(name)).toBe(HUB_KEY);
  });

  test('a capital is a host in an image, and not in a search, where the daemon asks Docker Hub', async () => {
    write({ auths: { HOST: auth('ada:own') } });
    expect([keyOfImage('HOST/app'), keyOfTerm('HOST/app')]).toEqual(['HOST', HUB_KEY]);
    expect(sent(await authHeader(keyOfTerm('HOST/app')))).toEqual({});
    for (const host of ['localhost', 'host:1', 'host.example']) expect(keyOfTerm(`${host}/app`)).toBe(host);
    for (const term of ['app', 'ada/app', 'docker.io/app']) expect(keyOfTerm(term)).toBe(HUB_KEY);
  });
});
