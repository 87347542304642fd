import { describe, expect, test } from 'vitest';
import type { Call } from './call.ts';
import { domainOf, registryAuth, registryConfig } from './registry-auth.ts';

const call = (headers: Record<string, string>) => ({ request: { headers } }) as unknown as Call;
const encode = (document: unknown, form: 'base64' | 'base64url' = 'base64url') =>
  Buffer.from(JSON.stringify(document)).toString(form);

describe('X-Registry-Auth', () => {
  const auth = (value: string) => registryAuth(call({ 'x-registry-auth': value }));

  test('is a login in either alphabet of base64, with or without padding', () => {
    const login = { username: 'ada', password: '>>>???ÿÿ', serveraddress: 'x' };
    for (const form of ['base64', 'base64url'] as const)
      expect(auth(encode(login, form))).toEqual({ username: 'ada', password: '>>>???ÿÿ' });
  });

  test('may be absent, empty, null or without a login', () => {
    expect(registryAuth(call({}))).toEqual({});
    for (const value of ['', 'e30=', 'bnVsbA==', encode({ username: '', password: null })])
      expect(auth(value)).toEqual({});
  });

  test('may hold a token, or user and password as one', () => {
    expect(auth(encode({ identitytoken: 't' }))).toEqual({ identityToken: 't' });
    expect(auth(encode({ registrytoken: 't' }))).toEqual({ registryToken: 't' });
    const pair = Buffer.from('ada:a:b').toString('base64');
    expect(auth(encode({ auth: pair }))).toEqual({ username: 'ada', password: 'a:b' });
  });

  test('that makes no sense is refused without being repeated', () => {
    for (const value of ['secret!', encode('secret'), encode({ username: ['secret'] }), encode({ auth: 'secret' })]) {
      expect(() => auth(value)).toThrow(expect.objectContaining({ status: 400 }));
      expect(() => auth(value)).toThrow(expect.not.objectContaining({ message: expect.stringContaining('secret') }));
    }
  });
});

test('X-Registry-Config is logins by registry, of which Docker Hub has an old name', () => {
  const login = registryConfig(
    call({
      'x-registry-config': encode({
        'https://index.docker.io/v1/': { username: 'hub' },
        'localhost:5000': { username: 'local' },
        'https://old.example/v2/': { username: 'old' },
      }),
    }),
  );
  expect(login('docker.io')).toEqual({ username: 'hub' });
  expect(login('localhost:5000')).toEqual({ username: 'local' });
  expect(login('old.example')).toEqual({ username: 'old' });
  expect(login('elsewhere')).toEqual({});
});

describe('X-Registry-Config', () => {
  const config = (document: unknown) => registryConfig(call({ 'x-registry-config': encode(document) }));
  const hub = { 'https://index.docker.io/v1/': { username: 'ada', password: 'own' } };
  const tokens = {
    'https://index.docker.io/v1/access-token': { username: 'ada', password: 'access' },
    'https://index.docker.io/v1/refresh-token': { username: 'ada', password: 'refresh' },
    'index.docker.io': { username: 'old' },
  };

  test.each([
    ['before', { ...hub, ...tokens }],
    ['after', { ...tokens, ...hub }],
  ])("Docker Hub's login stands %s tokens for other purposes, which are not taken", (_, document) => {
    expect(config(document)('docker.io')).toEqual({ username: 'ada', password: 'own' });
  });

  test('a host counts more than a URL of it, in any order; other paths are not of the registry', () => {
    const [exact, url] = [{ host: { username: 'exact' } }, { 'https://host/v1/': { username: 'url' } }];
    for (const document of [
      { ...exact, ...url },
      { ...url, ...exact },
    ])
      expect(config(document)('host')).toEqual({ username: 'exact' });
    for (const key of ['host/', 'http://host', 'https://host/v1/', 'https://host/v2/'])
      expect(config({ [key]: { username: 'ada' } })('host')).toEqual({ username: 'ada' });
    for (const key of ['https://host/v1/access-token', 'host/project', 'https://host/v2/x?y'])
      expect(config({ [key]: { username: 'ada' } })('host')).toEqual({});
  });

  test('what is not an address, or makes no sense, does not stop a build that does not need it', () => {
    const damaged = { auth: Buffer.from('secret').toString('base64') };
    const login = config({
      'token@host': {},
      'a b': {},
      '': { username: 'x' },
      other: damaged,
      host: { username: 'a' },
    });
    expect(login('host')).toEqual({ username: 'a' });
    expect(login('docker.io')).toEqual({});
    expect(() => login('other')).toThrow('is not base64 of USER:PASSWORD');
  });
});

test('what is not the address of a registry is refused without being repeated', () => {
  expect(domainOf('')).toBe('docker.io');
  expect(domainOf('[::1]:5000')).toBe('[::1]:5000');
  for (const server of ['https://ada:secret@host', 'a b', '../x', 'host:port'])
    expect(() => domainOf(server)).toThrow('is not HOST or HOST:PORT');
});
