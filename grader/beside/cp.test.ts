/** `skiff cp` beside the stock `docker cp`, on the same daemon and the same container. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { unpack } from '../../engine/cli/copy/unpack.ts';
import { type Ran, run } from '../../engine/cli/testing/ran.ts';
import { dockerIsMissing, TestDaemon } from '../../engine/daemon/testing/test-daemon.ts';
import { packEntries } from '../../engine/image/archive.ts';

const missing = dockerIsMissing();
const skiff = path.resolve('.build/default/skiff.cjs');

/** Name, kind, mode, owner, target or content of all below a directory; times too. */
function treeOf(directory: string): string[] {
  const below = (name: string): string[] => {
    const file = path.join(directory, name);
    const info = fs.lstatSync(file);
    const what = info.isSymbolicLink()
      ? `-> ${fs.readlinkSync(file)}`
      : info.isFile()
        ? fs.readFileSync(file, 'utf8')
        : '';
    const line = `${name} ${(info.mode & 0o177777).toString(8)} ${info.uid}:${info.gid} ${info.isSymbolicLink() ? '' : timeOf(info)} ${what}`;
    return [
      line,
      ...(info.isDirectory()
        ? fs
            .readdirSync(file)
            .sort()
            .flatMap((each) => below(path.join(name, each)))
        : []),
    ];
  };
  return fs.readdirSync(directory).sort().flatMap(below);
}

/** Of what was made just now it does not matter when. */
function timeOf({ mtimeMs }: fs.Stats): string {
  return Date.now() - mtimeMs < 3_600_000 ? 'now' : String(Math.floor(mtimeMs / 1000));
}

describe.skipIf(missing)(`skiff cp${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let directory: string;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-cp-'));
    const script =
      'mkdir -p /d/sub /empty; echo one > /d/one; echo two > /d/sub/two; chmod 4750 /d/one; ln -s sub /d/link; ln -s one /d/to-one; ' +
      'ln /d/one /d/hard; echo dot > "/d/with space"; chown -R 5:6 /d/sub; ln -s /d /to-d; ln -s d/one /to-file; touch -t 202001020304.05 /d/* /d/sub/two /d; ' +
      'ln -s /nowhere /broken; echo ready; exec sleep 1000';
    for (const name of ['by-docker', 'by-skiff']) {
      await daemon.docker('run', '-d', '--name', name, 'hostbox', 'sh', '-c', script);
      while (!(await daemon.docker('logs', name)).stdout.includes('ready'));
    }
  });
  afterAll(async () => {
    fs.rmSync(directory, { recursive: true, force: true });
    expect(await daemon?.destroy()).toEqual([]);
  });
  beforeEach(() => {
    fs.rmSync(directory, { recursive: true, force: true });
    for (const who of ['by-docker', 'by-skiff']) {
      const at = (name: string) => path.join(directory, who, name);
      fs.mkdirSync(at('there/inner'), { recursive: true });
      fs.writeFileSync(at('file'), 'was here');
      fs.symlinkSync('there', at('to-there'));
      fs.symlinkSync('file', at('to-file'));
      fs.mkdirSync(at('src/sub'), { recursive: true });
      fs.writeFileSync(at('src/a'), 'a', { mode: 0o640 });
      fs.writeFileSync(at('src/sub/b'), 'b'.repeat(100_000));
      fs.linkSync(at('src/a'), at('src/hard'));
      fs.symlinkSync('a', at('src/link'));
      fs.symlinkSync('src', at('to-src'));
      fs.chownSync(at('src/sub/b'), 1234, 1235);
      for (const name of ['file', 'there/inner', 'there', 'src/a', 'src/sub/b', 'src/sub', 'src'])
        fs.utimesSync(at(name), 1_500_000_000, 1_500_000_000);
    }
  });

  const cwd = (who: string) => path.join(directory, who);
  const bySkiff = (...args: string[]): Promise<Ran> =>
    run(process.execPath, [skiff, '--root', daemon.root, 'cp', ...args], { cwd: cwd('by-skiff') });
  const byDocker = (...args: string[]): Promise<Ran> =>
    run('docker', ['-H', `unix://${daemon.socket}`, 'cp', ...args], {
      cwd: cwd('by-docker'),
      env: { ...process.env, DOCKER_CONFIG: path.join(daemon.root, 'docker') },
    });
  /** Both say the same, but for names and where a time stands. */
  const same = (text: string, who: string) =>
    text
      .replaceAll(who, 'WHO')
      // What docker says of its own pipe when there is nothing to copy.
      .replace(/^time=.*\n/gm, '')
      .replace(/\(.*?\)/g, '')
      .trim();

  test.each([
    ['WHO:/d', '.'],
    ['WHO:/d', 'new'],
    ['WHO:/d/', 'new'],
    ['WHO:/d/.', 'new'],
    ['WHO:/d/.', 'there'],
    ['WHO:d/sub', 'there/'],
    ['WHO:/d/one', '.'],
    ['WHO:/d/one', 'new'],
    ['WHO:/d/one', 'file'],
    ['WHO:/d/one', 'there'],
    ['WHO:/d/one', 'new/'],
    ['WHO:/d/one', 'nowhere/new'],
    ['WHO:/d', 'file'],
    ['WHO:/d/with space', 'new name'],
    ['WHO:/to-file', '.'],
    ['WHO:/to-d', '.'],
    ['WHO:/to-d/', '.'],
    ['-L', 'WHO:/to-file', '.'],
    ['-L', 'WHO:/to-file', 'new'],
    ['-L', 'WHO:/to-d', '.'],
    ['-L', 'WHO:/to-d', 'new'],
    ['-L', 'WHO:/d/link', 'there'],
    ['WHO:/d/one', 'to-there'],
    ['WHO:/d/one', 'to-file'],
    ['WHO:/broken', '.'],
    ['WHO:/nothing', '.'],
    ['nobody:/d', '.'],
    ['-q', 'WHO:/d/one', '.'],
    ['WHO:/d', 'WHO:/e'],
    ['file', 'new'],
    ['WHO:', 'new'],
  ])('out of a container: %s %s %s', async (...args) => {
    const words = (who: string) => args.filter(Boolean).map((word) => word.replace('WHO', who));
    const [docker, ours] = [await byDocker(...words('by-docker')), await bySkiff(...words('by-skiff'))];
    expect([ours.code, same(ours.stderr, 'by-skiff')]).toEqual([docker.code, same(docker.stderr, 'by-docker')]);
    expect(treeOf(cwd('by-skiff'))).toEqual(treeOf(cwd('by-docker')));
  });

  test.each([
    ['src', 'WHO:/t'],
    ['src', 'WHO:/t/'],
    ['src', 'WHO:/t/new'],
    ['src/.', 'WHO:/t/new'],
    ['src/.', 'WHO:/t'],
    ['src/', 'WHO:/t'],
    ['file', 'WHO:/t'],
    ['file', 'WHO:/t/new'],
    ['file', 'WHO:/t/f'],
    ['file', 'WHO:/t/new/'],
    ['file', 'WHO:/t/no/where'],
    ['src', 'WHO:/t/f'],
    ['to-src', 'WHO:/t'],
    ['-L', 'to-src', 'WHO:/t'],
    ['-L', 'to-file', 'WHO:/t/new'],
    ['file', 'WHO:/t/link'],
    ['-a', 'src', 'WHO:/t'],
    ['nothing', 'WHO:/t'],
    ['file', 'WHO:t/relative'],
    ['./file', 'WHO:/t/..'],
  ])('into a container: %s %s %s', async (...args) => {
    const words = (who: string) => args.filter(Boolean).map((word) => word.replace('WHO', who));
    const prepare = 'rm -rf /t /file; mkdir -p /t/dir; echo f > /t/f; ln -s dir /t/link; touch -t 202001020304.05 /t/f';
    for (const who of ['by-docker', 'by-skiff']) await daemon.docker('exec', who, 'sh', '-c', prepare);
    const [docker, ours] = [await byDocker(...words('by-docker')), await bySkiff(...words('by-skiff'))];
    expect([ours.code, same(ours.stderr, 'by-skiff')]).toEqual([docker.code, same(docker.stderr, 'by-docker')]);
    const show =
      'cd /t; find . /file 2>/dev/null | sort | while read f; do stat -c "%n %f %u:%g %h %s" "$f"; done; cat /t/*/* /t/* 2>/dev/null | md5sum';
    const [theirs, mine] = [
      await daemon.docker('exec', 'by-docker', 'sh', '-c', show),
      await daemon.docker('exec', 'by-skiff', 'sh', '-c', show),
    ];
    expect(mine.stdout).toBe(theirs.stdout);
  });

  test('a file that has less in it than it says is named', async () => {
    // The kernel's own say 4096.
    const { code, stderr } = await bySkiff('/sys/kernel/uevent_seqnum', 'by-skiff:/empty');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/uevent_seqnum has less in it than its size says/)]);
  });

  test('an archive on the standard streams', async () => {
    const out = execFileSync(process.execPath, [skiff, '--root', daemon.root, 'cp', 'by-skiff:/d', '-']);
    const theirs = execFileSync('docker', ['-H', `unix://${daemon.socket}`, 'cp', 'by-skiff:/d', '-']);
    expect(out.equals(theirs)).toBe(true);
    execFileSync(process.execPath, [skiff, '--root', daemon.root, 'cp', '-', 'by-skiff:/empty'], { input: out });
    expect((await daemon.docker('exec', 'by-skiff', 'cat', '/empty/d/sub/two')).stdout).toBe('two\n');
    const wrong = await bySkiff('-', 'by-skiff:/d/one');
    expect([wrong.code, wrong.stderr]).toEqual([1, 'destination "by-skiff:/d/one" must be a directory\n']);
  });
});

describe('an archive that a container has made up', () => {
  let directory: string;
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-cp-'));
    fs.mkdirSync(path.join(directory, 'out'));
    fs.writeFileSync(path.join(directory, 'secret'), 'kept');
    return () => fs.rmSync(directory, { recursive: true, force: true });
  });
  const file = { type: 'file' as const, mode: 0o644, mtime: new Date(0), content: 'evil' };
  const link = (name: string, target: string) => ({
    type: 'symlink' as const,
    path: name,
    mode: 0o777,
    mtime: new Date(0),
    target,
  });
  const hard = (name: string, target: string) => ({
    type: 'link' as const,
    path: name,
    mode: 0o644,
    mtime: new Date(0),
    target,
  });

  test.each([
    ['goes up', [{ ...file, path: '../secret' }], /invalid name/],
    ['goes up from below', [{ ...file, path: 'a/../../secret' }], /invalid name/],
    [
      'goes through a link of its own',
      [link('a', '..'), { ...file, path: 'a/secret' }],
      /is not a directory, and is not followed/,
    ],
    [
      'goes through an absolute one',
      [link('a', '/tmp'), { ...file, path: 'a/secret' }],
      /is not a directory, and is not followed/,
    ],
    ['links to what is outside', [hard('a', '../secret'), { ...file, path: 'a' }], /invalid name/],
    ['links through a link', [link('a', '..'), hard('b', 'a/secret')], /is not a directory, and is not followed/],
    ['makes a file of a directory', [{ ...file, path: 'there' }], /cannot overwrite directory/],
  ])('%s', async (_, entries, message) => {
    fs.mkdirSync(path.join(directory, 'out/there'));
    const { Readable } = await import('node:stream');
    const source = Readable.from(packEntries(entries), { objectMode: false });
    const options = {
      directory: path.join(directory, 'out'),
      rename: (name: string) => name,
      onBytes: () => {},
      warn: () => {},
    };
    await expect(unpack(source, options)).rejects.toThrow(message);
    expect(fs.readFileSync(path.join(directory, 'secret'), 'utf8')).toBe('kept');
    expect(fs.readdirSync(directory).sort()).toEqual(['out', 'secret']);
  });

  test('a link that is replaced by a file is gone, and what it pointed at is what it was', async () => {
    const { Readable } = await import('node:stream');
    const source = Readable.from(packEntries([link('a', '../secret')]), { objectMode: false });
    const options = {
      directory: path.join(directory, 'out'),
      rename: (name: string) => name,
      onBytes: () => {},
      warn: () => {},
    };
    await unpack(source, options);
    await unpack(Readable.from(packEntries([{ ...file, path: 'a' }]), { objectMode: false }), options);
    expect(fs.readFileSync(path.join(directory, 'secret'), 'utf8')).toBe('kept');
    expect(fs.readFileSync(path.join(directory, 'out/a'), 'utf8')).toBe('evil');
  });
});
