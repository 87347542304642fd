/**
 * One tree with every kind of entry, sent through everything that copies trees, and compared entry by entry.
 *
 * What is expected is what Docker documents: archives and stages keep owners and times (ADD, COPY --from, cp, commit,
 * export, the first filling of a volume); what comes from a context is root's ("COPY", "Copying from a build context"), and
 * is dated by its step, so that a clone makes the same image as another. The docker command's archive of a context has
 * `security.capability` and no other extended attribute. Links are links, never what they lead to; names
 * of one file stay so; FIFOs and devices stay what they are; a socket means nothing without its process and is left out.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '#kernel/nodes';
import { getXattr, listXattrs, setXattr } from '#kernel/xattr';
import { describeTree } from '../image/test-support.ts';
import { openBench } from '../runtime/oci/testing/bench.ts';
import { dockerIsMissing, TestDaemon } from './testing/test-daemon.ts';

/** From linux/magic.h. */
const TMPFS_MAGIC = 0x01021994;

const missing = process.getuid?.() !== 0 ? 'only root makes devices' : dockerIsMissing();

describe.skipIf(missing)(`trees${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let above: string;
  let tree: string;
  let expected: Record<string, string>;
  beforeAll(async () => {
    process.env.DOCKER_BUILDKIT = '0';
    daemon = await TestDaemon.start();
    above = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-trees-'));
    tree = path.join(above, 'tree');
    makeTree(tree);
    expected = described(tree);
    fs.mkdirSync(path.join(above, 'archive'));
    execFileSync('tar', ['--xattrs', '-cf', path.join(above, 'archive/tree.tar'), '-C', above, 'tree']);
    fs.writeFileSync(
      path.join(above, 'archive/Dockerfile'),
      'FROM hostbox\nADD tree.tar /\nFROM hostbox\nCOPY --from=0 /tree /tree\n',
    );
    const ran = await daemon.docker('build', '-t', 'copied', path.join(above, 'archive'));
    expect(ran.code, ran.stderr + ran.stdout).toBe(0);
    await daemon.docker('build', '-t', 'added', '--target', '0', path.join(above, 'archive'));
  });
  afterAll(async () => {
    delete process.env.DOCKER_BUILDKIT;
    if (above) fs.rmSync(above, { recursive: true, force: true });
    expect(await daemon?.destroy()).toEqual([]);
  });

  function makeTree(root: string): void {
    const at = (name: string) => path.join(root, name);
    fs.mkdirSync(at('deep/er'), { recursive: true });
    fs.mkdirSync(at('sticky'));
    fs.writeFileSync(at('file'), 'content');
    fs.writeFileSync(at('set-user-id'), '#!/bin/sh\n');
    fs.writeFileSync(at('empty'), '');
    fs.writeFileSync(at('deep/er/ünïcode \n name'), 'x');
    fs.linkSync(at('file'), at('deep/er/hard'));
    fs.linkSync(at('file'), at('zz-hard'));
    fs.symlinkSync('file', at('link'));
    fs.symlinkSync('/nowhere/at/all', at('dangling'));
    fs.symlinkSync('../../..', at('deep/er/up'));
    fs.symlinkSync('deep/er', at('to-directory'));
    mknod(at('fifo'), S_IFIFO | 0o640);
    mknod(at('null'), S_IFCHR | 0o666, makedev(1, 3));
    mknod(at('deep/disk'), S_IFBLK | 0o600, makedev(7, 200));
    const sparse = fs.openSync(at('sparse'), 'wx');
    fs.writeSync(sparse, 'end', 8 * 1024 * 1024);
    fs.closeSync(sparse);
    setXattr(at('file'), 'user.note', Buffer.from('kept'));
    setXattr(at('deep'), 'user.note', Buffer.from('of a directory'));
    const owners = ['file', 'deep/er', 'link', 'fifo', 'null', 'set-user-id'];
    for (const [index, name] of owners.entries()) fs.lchownSync(at(name), 1000 + index, 2000 + index);
    fs.chmodSync(at('set-user-id'), 0o4751);
    fs.chmodSync(at('sticky'), 0o1777);
    fs.chmodSync(at('deep'), 0o2750);
    fs.chmodSync(at('fifo'), 0o640);
    fs.chmodSync(at('null'), 0o666);
    for (const [index, name] of Object.keys(describeTree(root)).reverse().entries())
      fs.lutimesSync(at(name), 86_400 + index, 86_400 + index);
  }

  function scratch(): string {
    const directory = fs.mkdtempSync(path.join(above, 'out-'));
    onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
    return directory;
  }

  /** What is at `/tree` in an image, by `docker export`. */
  async function treeOf(image: string): Promise<string> {
    const out = scratch();
    const { stdout } = await daemon.docker('create', image, 'true');
    const container = stdout.trim();
    const tar = path.join(out, 'export.tar');
    expect((await daemon.docker('export', '-o', tar, container)).code).toBe(0);
    execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-xpf', tar, '-C', out, 'tree']);
    await daemon.docker('rm', container);
    return path.join(out, 'tree');
  }

  function described(root: string): Record<string, string> {
    const attributes = (name: string) => {
      const names = listXattrs(path.join(root, name)).filter((each) => each.startsWith('user.'));
      return names.map((each) => ` ${each}=${getXattr(path.join(root, name), each)}`).join('');
    };
    return Object.fromEntries(
      Object.entries(describeTree(root)).map(([name, facts]) => [name, facts + attributes(name)]),
    );
  }

  test('ADD of an archive keeps all of it', async () => {
    expect(described(await treeOf('added'))).toEqual(expected);
  });

  test('COPY --from keeps all of it', async () => {
    const root = await treeOf('copied');
    expect(described(root)).toEqual(expected);
    expect(fs.statSync(root).uid).toBe(fs.statSync(tree).uid);
  });

  test('COPY of a context keeps all that docker sends of it, but owners and times', async () => {
    const context = scratch();
    execFileSync('cp', ['-a', tree, path.join(context, 'tree')]);
    fs.rmSync(path.join(context, 'tree/null'));
    fs.rmSync(path.join(context, 'tree/deep/disk'));
    fs.writeFileSync(path.join(context, 'Dockerfile'), 'FROM hostbox\nCOPY tree /tree\n');
    const ran = await daemon.docker('build', '-t', 'from-context', context);
    expect(ran.code, ran.stderr + ran.stdout).toBe(0);
    const rest = (facts: string) => facts.replace(/owner=\S+/, '').replace(/time=\S+/, '');
    const sent = (facts: string) => facts.replace(/ user\.note=.*$/, '');
    const plain = (all: Record<string, string>) =>
      Object.fromEntries(Object.entries(all).map(([name, facts]) => [name, rest(facts)]));
    const { null: _, 'deep/disk': __, ...there } = expected;
    const wanted = Object.fromEntries(Object.entries(there).map(([name, facts]) => [name, sent(facts)]));
    const found = described(await treeOf('from-context'));
    expect(plain(found)).toEqual(plain(wanted));
    expect(Object.values(found).filter((facts) => !facts.includes('owner=0:0'))).toEqual([]);
  });

  test('a new volume begins with all of it, and a sparse file takes no more room there', async () => {
    expect((await daemon.docker('run', '--rm', '-v', 'filled:/tree', 'added', 'true')).code).toBe(0);
    const { stdout } = await daemon.docker('volume', 'inspect', '-f', '{{.Mountpoint}}', 'filled');
    const mountpoint = stdout.trim();
    expect(described(mountpoint)).toEqual(expected);
    expect(fs.statSync(path.join(mountpoint, 'sparse')).blocks * 512).toBeLessThan(1024 * 1024);
    await daemon.docker('volume', 'rm', 'filled');
  });

  test('cp in, commit and cp out keep all of it', async () => {
    const { stdout } = await daemon.docker('create', 'hostbox', 'true');
    const container = stdout.trim();
    await send(`/containers/${container}/archive?path=/&copyUIDGID=true`, path.join(above, 'archive/tree.tar'));
    expect((await daemon.docker('commit', container, 'committed')).code).toBe(0);
    expect(described(await treeOf('committed'))).toEqual(expected);
    const out = scratch();
    const tar = await fetched(`/containers/${container}/archive?path=/tree`, path.join(out, 'cp.tar'));
    execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-xpf', tar, '-C', out]);
    expect(described(path.join(out, 'tree'))).toEqual(expected);
    await daemon.docker('rm', container);
  });

  test('a tmpfs that begins with what it covers has all of it', () => {
    const bench = openBench();
    onTestFinished(() => bench.close());
    execFileSync('cp', ['-a', tree, path.join(bench.directory, 'rootfs')]);
    const id = bench.newId();
    const bundle = bench.bundle((config) => {
      config.process.args = ['sleep', '1000'];
      config.mounts!.push({ destination: '/tree', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] });
    });
    expect(bench.run('create', '--bundle', bundle, id)).toMatchObject({ code: 0, stderr: '' });
    const inside = `/proc/${bench.stateOf(id).pid}/root/tree`;
    expect(fs.statfsSync(inside).type).toBe(TMPFS_MAGIC);
    expect(described(inside)).toEqual(expected);
    expect(fs.statSync(path.join(inside, 'sparse')).blocks * 512).toBeLessThan(1024 * 1024);
  });

  async function send(url: string, file: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const request = http.request({ socketPath: daemon.socket, method: 'PUT', path: url }, (response) => {
        response.resume().on('end', () => (response.statusCode === 200 ? resolve() : reject(response.statusCode)));
      });
      fs.createReadStream(file).pipe(request).on('error', reject);
    });
  }

  async function fetched(url: string, file: string): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      http
        .get({ socketPath: daemon.socket, path: url }, (response) => {
          response.pipe(fs.createWriteStream(file)).on('finish', () => resolve());
        })
        .on('error', reject);
    });
    return file;
  }
});
