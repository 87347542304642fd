import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSkiff } from '../cli/testing/ran.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

/** What Docker Hub's search answers, from a server of the test's own. */
const RESULTS = [
  {
    name: 'debian',
    description: 'A system\nthat is universal',
    star_count: 5000,
    is_official: true,
    is_automated: false,
  },
  { name: 'ada/debian', description: '', star_count: 3, is_official: false, is_automated: false },
];

describe.skipIf(missing)('a search', () => {
  let daemon: TestDaemon;
  let host: string;
  let answer: { status: number; body: string };
  const asked: { url: string; authorization: string | undefined }[] = [];
  const server = http.createServer((request, response) => {
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization });
    response.writeHead(answer.status).end(answer.body);
  });

  beforeAll(async () => {
    daemon = await TestDaemon.start();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    expect(await daemon?.destroy()).toEqual([]);
  });

  const results = (list: unknown) => {
    answer = { status: 200, body: JSON.stringify({ num_results: 2, query: 'debian', results: list }) };
  };
  const skiff = (...args: string[]) => runSkiff(['--socket', daemon.socket, 'search', ...args]);

  test('shows what the registry found, by docker and by skiff alike', async () => {
    results(RESULTS);
    for (const { code, stdout } of [await daemon.docker('search', `${host}/debian`), await skiff(`${host}/debian`)]) {
      expect(code).toBe(0);
      expect(stdout.split('\n').map((line) => line.trimEnd())).toEqual([
        expect.stringMatching(/^NAME +DESCRIPTION +STARS +OFFICIAL$/),
        expect.stringMatching(/^debian +A system that is universal +5000 +\[OK\]$/),
        expect.stringMatching(/^ada\/debian +3$/),
        '',
      ]);
    }
    expect(asked.at(-1)).toEqual({ url: '/v1/search?q=debian&n=25', authorization: undefined });
  });

  test('keeps to limit and filters', async () => {
    results(RESULTS);
    const options = ['--limit', '7', '--filter', 'is-official=true', '--filter', 'stars=10', '--format', '{{.Name}}'];
    expect((await daemon.docker('search', ...options, `${host}/x/y`)).stdout).toBe('debian\n');
    expect((await skiff(...options, `${host}/x/y`)).stdout).toBe('debian\n');
    expect(asked.at(-1)?.url).toBe('/v1/search?q=x%2Fy&n=7');
    expect((await daemon.get(`/images/search?term=${host}/x&limit=101`)).status).toBe(400);
    expect((await daemon.get(`/images/search?term=${host}/x&filters={"stars":["many"]}`)).status).toBe(400);
    expect((await daemon.get(`/images/search?term=${host}/x&filters={"colour":["red"]}`)).status).toBe(400);
  });

  test('has the login go along', async () => {
    results([]);
    const auth = Buffer.from(JSON.stringify({ username: 'ada', password: 'secret' })).toString('base64url');
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const path = `/images/search?term=${host}/x`;
      http.get({ socketPath: daemon.socket, path, headers: { 'X-Registry-Auth': auth } }, resolve).on('error', reject);
    });
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(asked.at(-1)?.authorization).toBe(`Basic ${Buffer.from('ada:secret').toString('base64')}`);
  });

  test.each([
    [404, 'not here', /has no search/],
    [200, '<html>', /its answer is not what a search answers/],
    [200, '{"results":[{"star_count":"x"}]}', /its answer is not what a search answers/],
    [429, '', /too many requests/],
    [500, '', /failed with status 500/],
  ])('an answer %s %s is an error that names the registry', async (status, body, why) => {
    answer = { status, body };
    const { code, stderr } = await daemon.docker('search', `${host}/x`);
    expect(code).toBe(1);
    expect(stderr).toMatch(why);
    expect(stderr).toContain(host);
  });

  test('without a term, or with a scheme, is refused', async () => {
    for (const term of ['', `${host}/`, `http://${host}/x`, '..%2f/x:y'])
      expect((await daemon.get(`/images/search?term=${term}`)).status).not.toBe(200);
  });
});
