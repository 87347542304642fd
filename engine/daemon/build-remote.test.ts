/** What a build fetches: files to ADD, and its context. The server is a stranger on the loopback. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packEntries } from '../image/archive.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe.skipIf(missing)(`what a build fetches${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let directory: string;
  let server: http.Server;
  let base: string;
  /** What the server answers, by path. */
  const pages = new Map<string, http.RequestListener>();
  const serve = (page: string, content: string | Buffer, headers: http.OutgoingHttpHeaders = {}) =>
    pages.set(page, (_, response) => response.writeHead(200, headers).end(content));

  beforeAll(async () => {
    process.env.DOCKER_BUILDKIT = '0';
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-remote-'));
    server = http.createServer((request, response) => {
      const page = pages.get(new URL(request.url ?? '/', 'http://x').pathname);
      if (page) page(request, response);
      else response.writeHead(404).end('nothing here');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    delete process.env.DOCKER_BUILDKIT;
    server?.closeAllConnections();
    server?.close();
    fs.rmSync(directory, { recursive: true, force: true });
    const left = fs.readdirSync(path.join(daemon.root, 'builds'));
    expect([...left, ...(await daemon.destroy())]).toEqual([]);
  });

  const build = (dockerfile: string) => daemon.dockerWithInput(dockerfile, 'build', '-t', 'app', '-');
  const run = async (...command: string[]) => (await daemon.docker('run', '--rm', 'app', ...command)).stdout;
  const archive = (files: Record<string, string>) =>
    Buffer.concat([
      ...packEntries(
        Object.entries(files).map(([name, content]) => ({
          type: 'file' as const,
          path: name,
          mode: 0o644,
          mtime: new Date(0),
          content,
        })),
      ),
    ]);

  test('ADD of a URL: the file as it is, root’s alone, under the name that was asked for', async () => {
    serve('/dir/tool.tar', archive({ inside: 'packed' }));
    serve('/plain', 'text\n');
    serve('/', 'named\n', { 'content-disposition': 'attachment; filename="../../given name"' });
    const said = await build(
      `FROM hostbox\nADD ${base}/dir/tool.tar ${base}/plain /in/\nADD --chmod=755 --chown=7:8 ${base}/plain /as\nADD ${base}/ /named/\n`,
    );
    expect(said.code, said.stderr).toBe(0);
    expect(said.stdout).toContain(`Downloading ${base}/dir/tool.tar\n`);
    expect(await run('sh', '-c', "stat -c '%u:%g %a %n' /in/* /as /named/*; tar tf /in/tool.tar; cat /in/plain")).toBe(
      '0:0 600 /in/plain\n0:0 600 /in/tool.tar\n7:8 755 /as\n0:0 600 /named/given name\ninside\ntext\n',
    );
  });

  test('what is fetched again is the same step while it is the same content', async () => {
    const dockerfile = `FROM hostbox\nADD ${base}/changing /file\nRUN cat /file > /copy\n`;
    serve('/changing', 'one');
    await build(dockerfile);
    expect((await build(dockerfile)).stdout.match(/Using cache/g)).toHaveLength(2);
    serve('/changing', 'two');
    expect((await build(dockerfile)).stdout).not.toContain('Using cache');
    expect(await run('cat', '/copy')).toBe('two');
  });

  test('a checksum, a redirect, a name and a password', async () => {
    serve('/content', 'known');
    const digest = `sha256:${createHash('sha256').update('known').digest('hex')}`;
    pages.set('/moved', (_, response) => response.writeHead(302, { location: '/content' }).end());
    pages.set('/closed', (request, response) => {
      const open = request.headers.authorization === `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
      response.writeHead(open ? 200 : 401).end('known');
    });
    const withPassword = base.replace('//', '//me:p%40ss@');
    for (const url of [`${base}/moved`, `${withPassword}/closed`]) {
      const { code, stderr } = await build(`FROM hostbox\nADD --checksum=${digest} ${url} /f\n`);
      expect(code, stderr).toBe(0);
      expect(await run('cat', '/f')).toBe('known');
    }
    const wrong = `sha256:${'0'.repeat(64)}`;
    expect((await build(`FROM hostbox\nADD --checksum=${wrong} ${base}/content /f\n`)).stderr).toContain(
      `${base}/content is ${digest}, and --checksum says ${wrong}`,
    );
  });

  test('what cannot be had says why', async () => {
    serve('/nameless/', 'x');
    pages.set('/cut', (_, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('half');
      response.destroy();
    });
    pages.set('/loop', (_, response) => response.writeHead(302, { location: '/loop' }).end());
    pages.set('/file', (_, response) => response.writeHead(302, { location: 'file:///etc/shadow' }).end());
    for (const [instruction, message] of [
      [`ADD ${base}/nowhere /f`, /Dockerfile:2: ADD .*: the server answers 404 Not Found/],
      [`ADD http://127.0.0.1:1/x /f`, /Dockerfile:2: ADD .*bad port|Dockerfile:2: ADD .*ECONNREFUSED/],
      [`ADD ${base}/nameless/ /d/`, /cannot determine a file name.*nameless.*end the destination/],
      [`ADD ${base}/cut /f`, /Dockerfile:2: ADD .*(other side closed|terminated|ECONNRESET)/],
      [`ADD ${base}/loop /f`, /Dockerfile:2: ADD .*redirect count exceeded/],
      [`ADD ${base}/file /f`, /Dockerfile:2: ADD .*(unknown scheme|must be a HTTP)/i],
      ['ADD ftp://127.0.0.1/x /f', /there is ADD, for http and https/],
      ['ADD file:///etc/shadow /f', /there is ADD, for http and https/],
      [`COPY ${base}/plain /f`, /there is ADD, for http and https/],
      [`ADD ${base}/x.git /f`, /clone it into the context/],
      ['ADD git@127.0.0.1:x.git /f', /clone it into the context/],
      [`ADD --checksum=md5:1 ${base}/plain /f`, /is not a digest/],
    ] as const)
      expect((await build(`FROM hostbox\n${instruction}\n`)).stderr, instruction).toMatch(message);
  });

  test('a client that hangs up ends a download that would never end, and leaves nothing', async () => {
    const begun = new Promise<http.ServerResponse>((resolve) => {
      pages.set('/endless', (_, response) => {
        response.writeHead(200).write('first');
        resolve(response);
      });
    });
    const request = http.request({ socketPath: daemon.socket, method: 'POST', path: '/build?t=never' });
    request.on('error', () => {});
    request.end(archive({ Dockerfile: `FROM hostbox\nADD ${base}/endless /f\n` }));
    const response = await begun;
    const closed = once(response, 'close');
    request.destroy();
    await closed;
    await expect.poll(() => fs.readdirSync(path.join(daemon.root, 'builds'))).toEqual([]);
    expect((await daemon.get('/images/never/json')).status).toBe(404);
  });

  test('the context itself: an archive, or a Dockerfile that needs none', async () => {
    const packed = archive({
      Dockerfile: 'FROM hostbox\nCOPY file /f\n',
      other: 'FROM hostbox\nRUN echo other > /f\n',
      file: 'of the context',
    });
    const from = (page: string, more = '') =>
      daemon.exchange('POST', `/build?t=app&remote=${encodeURIComponent(`${base}${page}`)}${more}`);
    serve('/context.tar', packed);
    expect((await from('/context.tar')).text).toContain('Successfully built');
    expect(await run('cat', '/f')).toBe('of the context');
    expect((await from('/context.tar', '&dockerfile=other')).text).toContain('Successfully built');
    expect(await run('cat', '/f')).toBe('other\n');
    const file = path.join(directory, 'context.tar');
    fs.writeFileSync(file, packed);
    serve('/context.tgz', execFileSync('gzip', ['-c', file]));
    expect((await from('/context.tgz')).text).toContain('Successfully built');
    expect(await run('cat', '/f')).toBe('of the context');
    serve('/Dockerfile', 'FROM hostbox\nRUN echo alone > /f\n');
    expect((await from('/Dockerfile')).text).toContain('Successfully built');
    expect(await run('cat', '/f')).toBe('alone\n');
    serve('/noise', Buffer.from([0, 1, 2, 255]));
    expect((await from('/noise')).text).toContain('is neither a tar, compressed or not, nor a Dockerfile');
    expect((await from('/nowhere')).text).toContain('the server answers 404');
    expect((await from('/x.git')).text).toContain('clone a repository');
    // The stock command fetches it itself, and sends what it has got.
    const byCommand = await daemon.docker('build', '-t', 'app', `${base}/context.tgz`);
    expect(byCommand.code, byCommand.stderr).toBe(0);
    expect(await run('cat', '/f')).toBe('of the context');
  });
});
