/** `docker cp`, `diff` and `export`, by the stock command, on running and stopped containers. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { packEntries } from '../image/archive.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe.skipIf(missing)(`files of containers${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let directory: string;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-files-'));
  });
  afterEach(async () => {
    fs.rmSync(directory, { recursive: true, force: true });
    for (const { Id } of (await daemon.get('/containers/json?all=1')).json)
      await daemon.request('DELETE', `/containers/${Id}?force=1&v=1`);
  });

  const docker = (...args: string[]) => daemon.docker(...args);
  const inDirectory = (name: string) => path.join(directory, name);
  /** A container whose script has run: one that goes on running, or one that has ended. */
  async function containerOf(state: 'running' | 'stopped', script: string, ...options: string[]): Promise<string> {
    const wait = state === 'running' ? '; echo ready; exec sleep 1000' : '';
    const { stdout } = await docker('run', '-d', ...options, 'hostbox', 'sh', '-c', `${script}${wait}`);
    const id = stdout.trim();
    if (state === 'stopped') await docker('wait', id);
    else while (!(await docker('logs', id)).stdout.includes('ready'));
    return id;
  }

  for (const state of ['running', 'stopped'] as const) {
    describe(`of one that is ${state}`, () => {
      test('diff tells what was added, changed and deleted, and nothing of what is mounted', async () => {
        const script =
          'echo x > /added; mkdir -p /new/sub; chmod 711 /root; rm /etc/shells; echo >> /etc/passwd; echo > /data/inside; ' +
          'mv /usr/bin/env /usr/bin/moved';
        const id = await containerOf(state, script, '-v', '/data');
        expect((await docker('diff', id)).stdout.trim().split('\n')).toEqual([
          'A /added',
          'A /data',
          'C /etc',
          'C /etc/passwd',
          'D /etc/shells',
          'A /new',
          'A /new/sub',
          'C /root',
          'C /usr',
          'C /usr/bin',
          'D /usr/bin/env',
          'A /usr/bin/moved',
        ]);
      });

      test('a directory that was deleted and made again is a changed one, without what was in it', async () => {
        const id = await containerOf(
          state,
          'rm -r /home && mkdir /home && echo > /home/mine; rm -r /etc && mkdir /etc',
        );
        const lines = (await docker('diff', id)).stdout.trim().split('\n');
        expect(lines).toContain('A /home/mine');
        expect(lines).toContain('C /etc');
        expect(lines).toContain('D /etc/passwd');
      });

      test('cp takes a tree out and puts it in, with modes, links and times', async () => {
        const source = inDirectory('tree');
        fs.mkdirSync(path.join(source, 'sub'), { recursive: true });
        fs.writeFileSync(path.join(source, 'file'), 'content');
        fs.writeFileSync(path.join(source, 'sub/program'), '#!/bin/sh\n', { mode: 0o755 });
        fs.symlinkSync('../file', path.join(source, 'sub/link'));
        fs.linkSync(path.join(source, 'file'), path.join(source, 'sub/hard'));
        fs.utimesSync(path.join(source, 'sub'), 1_000_000_000, 1_000_000_000);
        const id = await containerOf(state, 'true');
        expect((await docker('cp', source, `${id}:/opt/`)).code).toBe(0);
        expect((await docker('cp', `${id}:/opt/tree`, inDirectory('back'))).code).toBe(0);
        const listing = (where: string) =>
          execFileSync(
            'sh',
            ['-c', `cd "$1" && find . -printf '%p %m %y %l %T@\\n' | sed 's/\\.[0-9]*$//' | sort`, 'sh', where],
            {
              encoding: 'utf8',
            },
          );
        expect(listing(inDirectory('back'))).toBe(listing(source));
        expect(fs.readFileSync(inDirectory('back/sub/hard'), 'utf8')).toBe('content');
      });

      test('cp sees the volumes and the binds, and does not write to those that are read-only', async () => {
        fs.writeFileSync(inDirectory('host'), 'from the host');
        const id = await containerOf(state, 'echo kept > /vol/file', '-v', '/vol', '-v', `${directory}:/ro:ro`);
        expect((await docker('cp', `${id}:/vol/file`, inDirectory('out'))).code).toBe(0);
        expect(fs.readFileSync(inDirectory('out'), 'utf8')).toBe('kept\n');
        expect((await docker('cp', `${id}:/ro/host`, inDirectory('again'))).code).toBe(0);
        expect(fs.readFileSync(inDirectory('again'), 'utf8')).toBe('from the host');
        const refused = await docker('cp', inDirectory('out'), `${id}:/ro/`);
        expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('read-only')]);
        expect((await docker('cp', inDirectory('out'), `${id}:/vol/new`)).code).toBe(0);
        expect(fs.readFileSync(path.join(await volumeOf(id), 'new'), 'utf8')).toBe('kept\n');
      });

      test('a link leads about inside the container only', async () => {
        const secret = inDirectory('secret');
        fs.writeFileSync(secret, 'the host’s');
        const script = `ln -s ${directory} /way; ln -s ../../../../../../..${secret} /climb; ln -s /proc/1/root/etc /magic`;
        const id = await containerOf(state, script);
        for (const name of [`/way/secret`, `/climb/`]) {
          const { code, stderr } = await docker('cp', `${id}:${name}`, inDirectory('stolen'));
          expect([code, stderr]).toEqual([1, expect.stringContaining('Could not find the file')]);
        }
        expect((await docker('cp', '-L', `${id}:/climb`, inDirectory('stolen'))).code).toBe(1);
        expect((await docker('cp', secret, `${id}:/way/`)).code).toBe(1);
        expect(fs.readdirSync(directory)).toEqual(['secret']);
      });

      test('an archive that would write elsewhere writes inside the container, or is refused', async () => {
        const id = await containerOf(state, 'mkdir /in');
        const target = inDirectory('written');
        const mtime = new Date(0);
        const put = async (entries: Parameters<typeof packEntries>[0]) => {
          fs.writeFileSync(inDirectory('a.tar'), Buffer.concat([...packEntries(entries)]));
          return await putFile(id, inDirectory('a.tar'));
        };
        const file = (name: string) => ({ type: 'file' as const, path: name, mode: 0o644, mtime, content: 'x' });
        expect(await put([file(`../../../../../../../..${target}`)])).toBe(400);
        expect(
          await put([{ type: 'symlink', path: 'l', mode: 0o777, mtime, target: directory }, file('l/written')]),
        ).toBe(200);
        expect(fs.existsSync(target)).toBe(false);
      });

      test('export is the whole root as a tar, without what is mounted', async () => {
        const id = await containerOf(state, 'echo mine > /mine; echo > /vol/inside', '-v', '/vol');
        expect((await docker('export', '-o', inDirectory('e.tar'), id)).code).toBe(0);
        const names = execFileSync('tar', ['-tf', inDirectory('e.tar')], { encoding: 'utf8' }).split('\n');
        expect(names).toEqual(expect.arrayContaining(['mine', 'vol/', 'proc/', 'etc/passwd', 'usr/bin/sh']));
        expect(names.filter((name) => /^(vol|proc|sys|dev)\/./.test(name))).toEqual([]);
        const mine = execFileSync('tar', ['-xOf', inDirectory('e.tar'), 'mine'], { encoding: 'utf8' });
        expect(mine).toBe('mine\n');
      });
    });
  }

  test('a stat tells what docker is told', async () => {
    const id = await containerOf('running', 'ln -s passwd /etc/alias; chmod 1777 /opt');
    const stat = async (name: string) => {
      const { status, headers } = await daemon.exchange('HEAD', `/containers/${id}/archive?path=${name}`);
      const header = headers['x-docker-container-path-stat'];
      return status === 200 ? JSON.parse(Buffer.from(`${header}`, 'base64').toString()) : status;
    };
    expect(await stat('/etc/alias')).toMatchObject({ name: 'alias', mode: 0o777 + 2 ** 27, linkTarget: '/etc/passwd' });
    expect(await stat('etc')).toMatchObject({ name: 'etc', mode: 2 ** 31 + 0o755, linkTarget: '' });
    expect(await stat('/opt/')).toMatchObject({ name: 'opt', mode: 2 ** 31 + 2 ** 20 + 0o777 });
    expect(await stat('/')).toMatchObject({ name: '/' });
    expect(await stat('/etc/passwd')).toMatchObject({ mtime: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) });
    expect(await stat('/nothing')).toBe(404);
    expect(await stat('/etc/passwd/')).toBe(400);
    expect(await stat('')).toBe(400);
  });

  test('cp -a gives what comes in to the container’s user', async () => {
    const id = await containerOf('running', 'true', '-u', '1234:567', '-w', '/tmp');
    fs.writeFileSync(inDirectory('f'), 'x');
    await docker('cp', '-a', inDirectory('f'), `${id}:/tmp/given`);
    expect((await docker('exec', id, 'stat', '-c', '%u:%g', '/tmp/given')).stdout).toBe('1234:567\n');
  });

  test('cp does not write to a read-only root, but to a volume in it', async () => {
    const id = await containerOf('running', 'true', '--read-only', '-v', '/vol');
    fs.writeFileSync(inDirectory('f'), 'x');
    const refused = await docker('cp', inDirectory('f'), `${id}:/`);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('read-only')]);
    expect((await docker('cp', inDirectory('f'), `${id}:/vol/`)).code).toBe(0);
    await docker('kill', id);
    expect((await docker('cp', inDirectory('f'), `${id}:/`)).stderr).toContain('read-only');
    expect((await docker('cp', inDirectory('f'), `${id}:/vol/g`)).code).toBe(0);
  });

  test('cp does not make a file of a directory, nor the other way round', async () => {
    const id = await containerOf('stopped', 'mkdir /d; echo > /f');
    fs.mkdirSync(inDirectory('f'));
    fs.writeFileSync(inDirectory('d'), '');
    expect((await docker('cp', inDirectory('f'), `${id}:/`)).stderr).toContain('cannot overwrite non-directory');
    fs.writeFileSync(
      inDirectory('t.tar'),
      Buffer.concat([...packEntries([{ type: 'file', path: 'd', mode: 0o644, mtime: new Date(0), content: '' }])]),
    );
    expect(await putFile(id, inDirectory('t.tar'), 'noOverwriteDirNonDir=1&path=/')).toBe(400);
    expect(await putFile(id, inDirectory('t.tar'), 'path=/')).toBe(200);
    expect((await docker('diff', id)).stdout).toBe('A /d\nA /f\n');
  });

  test('what changes while it is copied leads nowhere outside', async () => {
    const outside = inDirectory('outside');
    fs.mkdirSync(outside);
    fs.writeFileSync(path.join(outside, 'secret'), 'the host’s');
    const script = `mkdir /a /b; echo own > /a/secret; ln -s ${outside} /link; while true; do mv /a /c; mv /link /a; mv /a /link; mv /c /a; done & true`;
    const id = await containerOf('running', script);
    for (let round = 0; round < 4; round++) {
      const { stdout } = await docker('cp', `${id}:/a/secret`, '-');
      expect(stdout).not.toContain('the host');
      await docker('cp', inDirectory('outside/secret'), `${id}:/a/planted`);
    }
    expect(fs.readdirSync(outside)).toEqual(['secret']);
  });

  async function putFile(id: string, file: string, query = 'path=/in'): Promise<number> {
    const url = `http://localhost/containers/${id}/archive?${query}`;
    const curl = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--unix-socket', daemon.socket, '-T', file, url];
    return Number(execFileSync('curl', curl, { encoding: 'utf8' }));
  }

  async function volumeOf(id: string): Promise<string> {
    return (
      await docker('inspect', '-f', '{{range .Mounts}}{{if eq .Type "volume"}}{{.Source}}{{end}}{{end}}', id)
    ).stdout.trim();
  }
});
