/** Every parameter of POST /build: it has an effect, or is refused by name, or asks for what is the case anyway. */

import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packEntries } from '../image/archive.ts';
import { parametersOf } from './testing/api-schema.ts';
import { TestDaemon } from './testing/test-daemon.ts';

/** They have files of their own: build-remote.test.ts, pull.test.ts. */
const ELSEWHERE = ['remote', 'pull'];
/** Refused: a value that means something, and what the answer names. */
const REFUSED: Record<string, [value: string, name: string]> = {
  squash: ['1', '--squash'],
  outputs: ['[{"Type":"local"}]', '--output'],
  version: ['2', 'DOCKER_BUILDKIT=0'],
};
/** What they ask for is the case, whatever they say: the cache is the engine's own, and no step leaves a container. */
const GRANTED: Record<string, string> = { cachefrom: '["nothing:here"]', rm: '0', forcerm: '1' };

describe.skipIf(process.getuid?.() !== 0)('the parameters of a build', () => {
  let daemon: TestDaemon;
  let key: string;
  const seen = new Set<string>();
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    key = (await daemon.get('/info')).json.ID;
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  function send(files: Record<string, string>, query: Record<string, string | string[]>): http.ClientRequest {
    for (const name of Object.keys(query)) seen.add(name);
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) for (const each of [value].flat()) search.append(name, each);
    const request = http.request({ socketPath: daemon.socket, method: 'POST', path: `/build?${search}`, agent: false });
    const entries = Object.entries(files).map(([name, content]) => ({
      type: 'file' as const,
      path: name,
      mode: 0o644,
      mtime: new Date(0),
      content,
    }));
    request.end(Buffer.concat([...packEntries(entries)]));
    return request;
  }

  async function build(files: Record<string, string> | string, query: Record<string, string | string[]>) {
    const request = send(typeof files === 'string' ? { Dockerfile: files } : files, query);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    const said = text
      .split('\r\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .map(({ stream, error, message }) => stream ?? error ?? message ?? '')
      .join('');
    return { status: response.statusCode, said };
  }
  const said = async (...args: Parameters<typeof build>) => (await build(...args)).said;

  test('what names: dockerfile, t, target, labels, buildargs, platform, q, nocache', async () => {
    const files = { Other: 'FROM hostbox AS one\nARG WHO=nobody\nRUN echo I am $WHO\nFROM one AS two\nRUN echo two\n' };
    const query = { dockerfile: 'Other', target: 'one', buildargs: '{"WHO":"somebody"}', labels: '{"a":"b"}' };
    const first = await said(files, { ...query, t: ['named', 'named:again'] });
    expect(first).toContain('I am somebody\n');
    expect(first).not.toContain('two\n');
    expect((await daemon.get('/images/named:again/json')).json.Config.Labels).toEqual({ a: 'b' });
    expect(await said(files, query)).toContain('Using cache');
    expect(await said(files, { ...query, nocache: '1' })).not.toContain('Using cache');
    expect(await said(files, { ...query, q: '1' })).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    await build('FROM scratch\nCOPY Dockerfile /\n', { platform: 'linux/riscv64', t: 'other' });
    expect((await daemon.get('/images/other/json')).json.Architecture).toBe('riscv64');
  });

  test('what a command is in: extrahosts, networkmode, shmsize', async () => {
    const show = 'FROM hostbox\nRUN tail -n 2 /etc/hosts; ls /sys/class/net; df -k /dev/shm | tail -n 1\n';
    const answer = await said(show, {
      extrahosts: ['one:192.0.2.1', 'two:192.0.2.2'],
      networkmode: 'host',
      shmsize: String(3 << 20),
    });
    expect(answer).toContain('192.0.2.1\tone\n192.0.2.2\ttwo\n');
    for (const name of fs.readdirSync('/sys/class/net')) expect(answer).toContain(`${name}\n`);
    expect(answer).toMatch(/ 3072 /);
  });

  test('its limits: memory, memswap, cpushares, cpusetcpus, cpuperiod, cpuquota', async () => {
    const request = send(
      { Dockerfile: 'FROM hostbox\nRUN sleep 1000\n' },
      {
        memory: String(64 << 20),
        memswap: String(96 << 20),
        cpushares: '512',
        cpusetcpus: '0',
        cpuperiod: '50000',
        cpuquota: '20000',
      },
    );
    request.on('error', () => {});
    const v2 = fs.existsSync('/sys/fs/cgroup/cgroup.controllers');
    const wanted = v2
      ? { memory: ['memory.max', 64 << 20], cpu: ['cpu.max', '20000 50000'], cpuset: ['cpuset.cpus', '0'] }
      : {
          memory: ['memory.limit_in_bytes', 64 << 20],
          'memory/2': ['memory.memsw.limit_in_bytes', 96 << 20],
          cpu: ['cpu.shares', 512],
          'cpu/2': ['cpu.cfs_period_us', 50_000],
          'cpu/3': ['cpu.cfs_quota_us', 20_000],
          cpuset: ['cpuset.cpus', '0'],
        };
    const read = () =>
      Object.entries(wanted).map(([hierarchy, [file]]) => {
        const directory = path.join('/sys/fs/cgroup', v2 ? '' : hierarchy.split('/')[0]!, 'skiff', key);
        const [own] = fs.existsSync(directory)
          ? fs.readdirSync(directory).filter((name) => /^[0-9a-f]{64}$/.test(name))
          : [];
        const text = own && path.join(directory, own, String(file));
        return text && fs.existsSync(text) ? fs.readFileSync(text, 'utf8').trim() : '';
      });
    await expect.poll(read).toEqual(Object.values(wanted).map(([, value]) => String(value)));
    request.destroy();
    await expect.poll(() => fs.readdirSync(path.join(daemon.root, 'builds'))).toEqual([]);
  });

  test.each(Object.entries(REFUSED))('%s is refused by name', async (parameter, [value, name]) => {
    const { status, said } = await build('FROM hostbox\n', { [parameter]: value });
    expect(status).toBe(501);
    expect(said).toContain(name);
  });

  test('what is the case anyway may be asked for', async () => {
    const { status, said } = await build('FROM hostbox\nRUN true\n', GRANTED);
    expect(status, said).toBe(200);
    expect(said).toContain('Successfully built');
    expect((await daemon.get('/containers/json?all=1')).json).toEqual([]);
  });

  test('these are all that the description has', () => {
    expect([...seen, ...ELSEWHERE].sort()).toEqual(parametersOf('POST', '/build').sort());
  });
});
