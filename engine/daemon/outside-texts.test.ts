/** What the daemon is sent to read cannot hold it up: it answers others meanwhile. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();
const NAME = 'a'.repeat(60);
const PATTERN = `${'*a'.repeat(30)}*b`;

describe.skipIf(missing)(`texts from outside${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    process.env.DOCKER_BUILDKIT = '0';
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    delete process.env.DOCKER_BUILDKIT;
    expect(await daemon.destroy()).toEqual([]);
  });

  function context(files: Record<string, string>): string {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-context-'));
    onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
    for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), content);
    return directory;
  }

  test('a pattern that fits in very many ways is matched all the same', async () => {
    const copied = context({ Dockerfile: `FROM hostbox\nCOPY ${PATTERN} /x/\n`, [NAME]: '' });
    expect((await daemon.docker('build', copied)).stderr).toContain('is not in the build context');
    const ignored = context({
      Dockerfile: `FROM hostbox\nCOPY . /x/\nRUN ls /x\n`,
      '.dockerignore': `${PATTERN}\n${'**/*a'.repeat(20)}/b\n*c\n`,
      [NAME]: '',
      'xyz.c': '',
    });
    // The client's own matching is not what is tried here.
    const tar = path.join(ignored, '../', `${path.basename(ignored)}.tar`);
    onTestFinished(() => fs.rmSync(tar, { force: true }));
    execFileSync('tar', ['-cf', tar, '-C', ignored, '.']);
    const answer = await fetchBuild(tar);
    expect(answer).toContain(NAME);
    expect(answer).not.toContain('xyz.c');
  });

  async function fetchBuild(tar: string): Promise<string> {
    return await new Promise((resolve, reject) => {
      const sent = http.request({ socketPath: daemon.socket, method: 'POST', path: '/build?nocache=1' }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      });
      sent.on('error', reject);
      fs.createReadStream(tar).pipe(sent);
    });
  }

  test('filters by name are regular expressions, and one of them that doubles its ways changes nothing', async () => {
    for (const name of ['web-1', 'web-2', 'db'])
      expect((await daemon.docker('create', '--name', name, 'hostbox', 'true')).code).toBe(0);
    const names = async (filter: string) =>
      (await daemon.docker('ps', '-a', '--filter', `name=${filter}`, '--format', '{{.Names}}')).stdout
        .split('\n')
        .filter(Boolean)
        .sort();
    expect(await names('^web-[0-9]$')).toEqual(['web-1', 'web-2']);
    expect(await names('^/db$')).toEqual(['db']);
    expect(await names('(web-2|db)')).toEqual(['db', 'web-2']);
    expect(await names('eb-')).toEqual(['web-1', 'web-2']);
    expect(await names('(unclosed')).toEqual([]);
    expect(await names('(([a-z]*)*)*-9')).toEqual([]);
    const { stderr } = await daemon.docker('ps', '--filter', `name=${'a'.repeat(1000)}`);
    expect(stderr).toContain('use at most 256');
    for (const name of ['web-1', 'web-2', 'db']) await daemon.docker('rm', name);
  });

  test('a body of brackets is refused before it is read, and a large one is not taken', async () => {
    const brackets = '['.repeat(60_000);
    expect(await daemon.exchange('POST', '/volumes/create', `{"a":${brackets}`)).toMatchObject({ status: 400 });
    expect((await daemon.exchange('POST', '/volumes/create', `{"a":${brackets}`)).text).toContain('nested');
    expect(await announced('/volumes/create', 100_000)).toMatch(/^HTTP\/1\.1 413 /);
    expect(await announced('/containers/create', 1_100_000)).toMatch(/^HTTP\/1\.1 413 /);
    const env = JSON.stringify({ Image: 'hostbox', Env: Array.from({ length: 30_000 }, () => 'A=b') });
    expect((await daemon.exchange('POST', '/containers/create', env)).text).toContain('values');
    expect(await daemon.get('/info')).toMatchObject({ status: 200 });
  });

  /** What is answered to a request that announces a body of so many bytes, before any of it is sent. */
  async function announced(url: string, length: number): Promise<string> {
    const socket = net.connect(daemon.socket);
    socket.write(`POST ${url} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    socket.destroy();
    return String(answer);
  }
});
