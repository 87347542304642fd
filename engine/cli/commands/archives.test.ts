import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from '../testing/engine.ts';
import { canRunContainers } from '../testing/tools.ts';

describe.skipIf(!canRunContainers)('what a container has changed', () => {
  let engine: TestEngine;
  let directory: string;
  beforeAll(async () => {
    engine = await TestEngine.start();
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-archives-'));
    const change = 'echo changed >/etc/motd; rm /etc/group';
    await out('run', '--name', 'box', '--network', 'none', 'hostbox', 'sh', '-c', change);
  });
  afterAll(async () => {
    await engine?.destroy();
    if (directory) fs.rmSync(directory, { recursive: true, force: true });
  });

  /** What a command that works prints. */
  async function out(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await engine.skiff(args);
    expect(`${args.join(' ')}: ${code} ${stderr}`).toBe(`${args.join(' ')}: 0 `);
    return stdout;
  }
  const read = (image: string) => out('run', '--rm', '--network', 'none', image, 'cat', '/etc/motd');
  const file = (name: string) => path.join(directory, name);

  test('is listed, and becomes an image with a message, an author and another command', async () => {
    expect(await out('diff', 'box')).toBe('C /etc\nD /etc/group\nA /etc/motd\n');
    const id = (
      await out('commit', '-m', 'taught', '-a', 'Ada', '-c', 'CMD ["cat","/etc/motd"]', 'box', 'box:1')
    ).trim();
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await out('run', '--rm', '--network', 'none', 'box:1')).toBe('changed\n');
    const said = await out('inspect', '-f', '{{.Id}} {{.Author}} {{.Comment}}', 'box:1');
    expect(said).toBe(`${id} Ada taught\n`);
    expect(await out('history', '--format', '{{.Comment}}', 'box:1')).toMatch(/^taught\n/);
    await out('tag', 'box:1', 'team/box:stable');
    expect(await out('inspect', '-f', '{{.Id}}', 'team/box:stable')).toBe(`${id}\n`);
  });

  test('is saved and loaded, by a file and through pipes', async () => {
    await out('commit', 'box', 'saved:1');
    await out('save', '-o', file('saved.tar'), 'saved:1');
    expect(fs.readdirSync(directory), 'nothing beside it').toEqual(['saved.tar']);
    await out('rmi', 'saved:1');
    expect(await out('load', '-i', file('saved.tar'))).toBe('Loaded image: saved:1\n');
    expect(await read('saved:1')).toBe('changed\n');
    await out('rmi', 'saved:1');
    const archive = fs.readFileSync(file('saved.tar'), 'latin1');
    expect((await engine.skiff(['load', '-q'], { input: Buffer.from(archive, 'latin1') })).stdout).toContain('saved:1');
    expect(await out('save', '-o', '/dev/null', 'saved:1')).toBe('');
    expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true);
    const lost = await engine.skiff(['save', '-o', '/no/such/directory/x.tar', 'saved:1']);
    expect(`${lost.code} ${lost.stderr}`).toMatch(/^1 failed to write \/no\/such\/directory\/x.tar: /);
    const wrong = await engine.skiff(['load'], { input: 'no archive' });
    expect(wrong.code).toBe(1);
  });

  test('is exported as a tree, and imported as an image of one layer', async () => {
    await out('export', '-o', file('tree.tar'), 'box');
    const id = (await out('import', '-m', 'flat', '-c', 'CMD ["cat","/etc/motd"]', file('tree.tar'), 'flat:1')).trim();
    expect(id).toMatch(/^sha256:/);
    expect(await out('run', '--rm', '--network', 'none', 'flat:1')).toBe('changed\n');
    expect(await out('history', '-q', 'flat:1')).toMatch(/^\w+\n$/);
  });

  test('takes place, which prune gives back', async () => {
    const rows = async () => (await out('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}')).trim();
    await out('commit', 'box', 'pruned:1');
    await out('commit', '-m', 'again', 'box', 'pruned:1');
    await out('volume', 'create', '--label', 'a=b', 'data');
    await out('run', '-v', '/anonymous', '--name', 'idle', '--network', 'none', 'hostbox', 'true');
    expect(await rows()).toMatch(/Containers 2 0\nLocal Volumes 2 1/);
    expect(await out('volume', 'ls', '-q', '--filter', 'label=a')).toBe('data\n');
    expect(await out('image', 'prune', '-f')).toMatch(/^Deleted Images:\ndeleted: sha256:/);
    const no = await engine.skiff(['system', 'prune'], { input: 'n\n' });
    expect(`${no.code} ${no.stdout}`).toMatch(/^1 WARNING! This will remove:\n {2}- all stopped containers\n/);
    const pruned = await out('system', 'prune', '-f', '--volumes');
    expect(pruned).toMatch(/^Deleted Containers:\n/);
    expect(pruned).toMatch(/Deleted Volumes:\n[0-9a-f]{64}\n/);
    expect(pruned).toMatch(/Total reclaimed space: /);
    expect(await rows()).toMatch(/Containers 0 0\nLocal Volumes 1 0/);
    expect(await out('volume', 'prune', '-af')).toContain('data');
    expect(await out('volume', 'ls', '-q')).toBe('');
  });
});
