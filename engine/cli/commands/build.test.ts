import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestEngine } from '../testing/engine.ts';
import { canRunContainers, has } from '../testing/tools.ts';

describe.skipIf(!canRunContainers)('skiff build', () => {
  let engine: TestEngine;
  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(async () => {
    await engine?.destroy();
  });

  function context(files: Record<string, string>): string {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-build-'));
    onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
    for (const [name, content] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
      fs.writeFileSync(path.join(directory, name), content);
    }
    return directory;
  }

  test('sends what .dockerignore leaves, with arguments, secrets and labels, and writes the id', async () => {
    const directory = context({
      'sub/Dockerfile.x':
        'FROM hostbox\nARG A\nCOPY . /c\nRUN --mount=type=secret,id=s cat /run/secrets/s; echo $A; find /c -type f\n',
      '.dockerignore': '**/*.txt\n!keep/*.txt\nsub\n.dockerignore\n',
      'drop.txt': '',
      'keep/this.txt': '',
      secret: 'hidden\n',
    });
    const file = path.join(directory, 'sub/Dockerfile.x');
    const iidfile = path.join(directory, 'iid');
    const { code, stdout, stderr } = await engine.skiff([
      'build',
      ...['-t', 'a:1', '-t', 'b', '-f', file, '--build-arg', 'A=b=c', '--label', 'l=1', '--iidfile', iidfile],
      ...['--secret', `id=s,src=${path.join(directory, 'secret')}`, directory],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('hidden\nb=c\n');
    expect(stdout.match(/^\/c\/.*$/gm)?.sort()).toEqual(['/c/keep/this.txt', '/c/secret']);
    expect(stdout).toContain('Successfully tagged a:1\nSuccessfully tagged b:latest\n');
    const { stdout: id } = await engine.skiff(['inspect', '-f', '{{.Id}} {{.Config.Labels.l}}', 'b']);
    expect(id).toBe(`${fs.readFileSync(iidfile, 'utf8')} 1\n`);
  });

  test('reads a Dockerfile from standard input, and ends as the command in it does', async () => {
    const { stdout } = await engine.skiff(['build', '-q', '-'], { input: 'FROM hostbox\nENV A=b\n' });
    expect(stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    const failed = await engine.skiff(['build', '-'], { input: 'FROM hostbox\nRUN exit 7\n' });
    expect(failed.code).toBe(7);
    expect(failed.stderr).toMatch(/^Dockerfile:2: RUN exit 7: /);
    expect((await engine.skiff(['build', '/nowhere'])).stderr).toContain('path "/nowhere" not found');
  });

  test.skipIf(!has('docker'))(
    'makes of a directory the very image that docker build makes, and finds its steps',
    async () => {
      const directory = context({
        Dockerfile: 'FROM hostbox\nWORKDIR /w\nCOPY . .\nRUN cat a > b\n',
        a: 'a',
        'd/empty': '',
        '.dockerignore': 'x\n',
      });
      fs.symlinkSync('a', path.join(directory, 'l'));
      fs.chmodSync(path.join(directory, 'a'), 0o4751);
      const env = { ...process.env, DOCKER_BUILDKIT: '0' };
      const theirs = await engine.docker(['build', '-q', directory], { env });
      const ours = await engine.skiff(['build', directory]);
      expect(ours.stdout.match(/Using cache/g)).toHaveLength(3);
      expect(ours.stdout).toContain(`Successfully built ${theirs.stdout.slice(7, 19)}`);
    },
  );

  test('the cache can be emptied', async () => {
    expect((await engine.skiff(['builder', 'prune', '-f'])).stdout).toMatch(
      /^Deleted build cache objects:\n[0-9a-f]{64}\n/,
    );
    expect((await engine.skiff(['builder', 'prune', '-f'])).stdout).toBe('Total reclaimed space: 0B\n');
  });
});
