import { expect, test } from 'vitest';
import { checkInsecure, checkMirror, endpointsOf, type RegistryOptions, trustsAny } from './endpoints.ts';

function urls(domain: string, options: RegistryOptions = {}, use: 'pull' | 'push' = 'pull'): string[] {
  return endpointsOf(domain, options, use).map(({ url }) => url);
}

test('docker.io stands for registry-1.docker.io', () => {
  expect(urls('docker.io')).toEqual(['https://registry-1.docker.io']);
});

test('mirrors are asked first, for Docker Hub and for pulls only', () => {
  const options = { mirrors: ['https://mirror.example:8443/hub/'] };
  expect(urls('docker.io', options)).toEqual(['https://mirror.example:8443/hub', 'https://registry-1.docker.io']);
  expect(urls('docker.io', options, 'push')).toEqual(['https://registry-1.docker.io']);
  expect(urls('other.example', options)).toEqual(['https://other.example']);
});

test.each(['localhost', 'localhost:5000', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000'])(
  '%s is asked with TLS first, and then without',
  (domain) => {
    expect(urls(domain)).toEqual([`https://${domain}`, `http://${domain}`]);
  },
);

test.each([
  ['example.com', []],
  ['example.com:5000', ['example.com']],
  ['10.1.2.3:5000', ['10.2.0.0/16']],
  ['127.0.0.1.example.com', []],
])('%s is asked with TLS only, with %j insecure', (domain, insecure) => {
  expect(urls(domain, { insecure })).toEqual([`https://${domain}`]);
});

test.each([
  ['example.com:5000', ['example.com:5000']],
  ['10.1.2.3:5000', ['10.1.0.0/16']],
  ['10.1.2.3', ['0.0.0.0/0']],
])('%s may be asked without TLS, with %j insecure', (domain, insecure) => {
  expect(urls(domain, { insecure })).toEqual([`https://${domain}`, `http://${domain}`]);
});

test('whether any certificate is good enough is a matter of each host', () => {
  const options = { insecure: ['Reg.example:443', 'docker.io', 'other.example:5000', '10.1.0.0/16'] };
  const trusts = (url: string) => trustsAny(new URL(url), options);
  for (const { url } of endpointsOf('docker.io', options)) expect(trusts(url)).toBe(true);
  for (const place of ['reg.example', 'other.example:5000', '10.1.2.3:1', '[::1]:5000'])
    expect(trusts(`https://${place}/token`)).toBe(true);
  for (const place of ['reg.example:5000', 'other.example', '10.2.0.1', 'auth.docker.io', '127.0.0.1.example'])
    expect(trusts(`https://${place}/token`)).toBe(false);
});

test.each(['ftp://a', 'mirror', 'https://user:secret@a', 'https://a?b', 'https://a#b'])(
  '%s is not a mirror',
  (text) => {
    expect(() => checkMirror(text)).toThrow('--registry-mirror must be');
    expect(() => checkMirror(text)).not.toThrow('secret');
  },
);

test.each(['http://a', 'a/b', '10.0.0.0/33', '', 'a b'])('"%s" is not an insecure registry', (text) => {
  expect(() => checkInsecure(text)).toThrow('--insecure-registry must be');
});
