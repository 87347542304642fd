/** Links of an image on the way to what is mounted, copied or entered: followed inside the root, also to nothing yet. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

const missing = dockerIsMissing();

describe.skipIf(missing)(`links${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let context: string;
  beforeAll(async () => {
    process.env.DOCKER_BUILDKIT = '0';
    daemon = await TestDaemon.start();
    context = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-links-'));
    for (const name of ['there', 'nothing', 'deep'])
      fs.mkdirSync(path.join(context, 'rootfs', name), { recursive: true });
    for (const name of ['there', 'nothing', 'deep'])
      fs.writeFileSync(path.join(context, 'rootfs', name, 'tool'), 'tool');
    fs.writeFileSync(
      path.join(context, 'Dockerfile'),
      `FROM hostbox AS base
RUN ln -s /gone/dir /wd && mkdir -p /usr/there /a/b && echo kept > /usr/there/kept \\
 && mkdir /place && ln -s /usr/there /place/there && ln -s ../not/yet /place/nothing && ln -s /place/again /place/deep && ln -s /a/b /place/again
FROM base AS sources
COPY rootfs /rootfs
RUN tar -C /rootfs -cf /rootfs.tar .
FROM base AS context
COPY rootfs /place
FROM base AS add
ADD rootfs /place/
FROM base AS stage
COPY --from=sources /rootfs /place
`,
    );
    await build('base', 'base');
  });
  afterAll(async () => {
    delete process.env.DOCKER_BUILDKIT;
    expect(await daemon?.destroy()).toEqual([]);
    if (context) fs.rmSync(context, { recursive: true, force: true });
  });

  async function build(target: string, name: string): Promise<void> {
    const { code, stdout, stderr } = await daemon.docker('build', '-t', name, '--target', target, context);
    expect(code, stdout + stderr).toBe(0);
  }

  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await daemon.docker('run', '--rm', '--network', 'none', ...args);
    return code === 0 ? stdout.trim() : `${code}: ${stderr}`;
  };

  const FOUND = 'for name in there nothing deep; do readlink /place/$name; done; cat /usr/there/* /not/yet/* /a/b/*';
  const EXPECTED = '/usr/there\n../not/yet\n/place/again\nkept\ntooltooltool';

  test.each(['context', 'add', 'stage'])(
    'stay when a directory is copied onto them, which goes where they lead (%s)',
    async (how) => {
      await build(how, how);
      expect(await run(how, 'sh', '-c', FOUND)).toBe(EXPECTED);
    },
  );

  test('stay when an archive is unpacked over them by ADD', async () => {
    await build('sources', 'sources');
    const source = (await daemon.docker('create', 'sources', 'true')).stdout.trim();
    const archive = path.join(context, 'archive');
    fs.mkdirSync(archive);
    expect((await daemon.docker('cp', `${source}:/rootfs.tar`, archive)).code).toBe(0);
    await daemon.docker('rm', source);
    fs.writeFileSync(path.join(archive, 'Dockerfile'), 'FROM base\nADD rootfs.tar /place\n');
    const { code, stderr } = await daemon.docker('build', '-t', 'archive', archive);
    expect(code, stderr).toBe(0);
    expect(await run('archive', 'sh', '-c', FOUND)).toBe(EXPECTED);
  });

  test('to nothing yet are where a working directory, a volume, a bind and a tmpfs are made', async () => {
    const file = path.join(context, 'file');
    fs.writeFileSync(file, 'bound');
    expect(await run('-w', '/wd', 'base', 'pwd')).toBe('/gone/dir');
    expect(await run('-w', '/wd/below', 'base', 'pwd')).toBe('/gone/dir/below');
    expect(await run('-v', `${file}:/wd`, 'base', 'cat', '/gone/dir')).toBe('bound');
    expect(await run('-v', `${file}:/wd/below/file`, 'base', 'cat', '/gone/dir/below/file')).toBe('bound');
    expect(await run('-v', `${context}:/wd`, 'base', 'cat', '/gone/dir/file')).toBe('bound');
    expect(await run('-v', 'volume:/wd', 'base', 'sh', '-c', 'echo kept > /wd/x; cat /gone/dir/x')).toBe('kept');
    expect(await run('-v', 'volume:/wd/below', 'base', 'cat', '/gone/dir/below/x')).toBe('kept');
    expect(await run('--tmpfs', '/wd', 'base', 'stat', '-f', '-c', '%T', '/gone/dir')).toBe('tmpfs');
    expect(await run('--tmpfs', '/wd/below', 'base', 'stat', '-f', '-c', '%T', '/gone/dir/below')).toBe('tmpfs');
  });
});
