import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from '../testing/engine.ts';
import { bundle, plainEnv } from '../testing/ran.ts';
import { canRunContainers } from '../testing/tools.ts';

let engine: TestEngine;

beforeAll(async () => {
  if (canRunContainers) engine = await TestEngine.start();
});

afterEach(async () => {
  await engine?.removeContainers();
});

afterAll(async () => {
  await engine?.destroy();
});

/** What a command that works prints. */
async function out(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await engine.skiff(args);
  expect(`${args.join(' ')}: ${code} ${stderr}`).toBe(`${args.join(' ')}: 0 `);
  return stdout;
}

const background = (name: string, ...command: string[]): Promise<string> =>
  out('run', '-d', '--name', name, '--network', 'none', 'hostbox', ...command);

const state = async (name: string): Promise<string> => (await out('inspect', '-f', '{{.State.Status}}', name)).trim();

describe.skipIf(!canRunContainers)('a container', () => {
  test('is created, started, waited for, started again and removed', async () => {
    const id = (
      await out('create', '--name', 'job', '--network', 'none', 'hostbox', 'sh', '-c', 'echo ran; exit 4')
    ).trim();
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await state('job')).toBe('created');
    expect(await out('start', id.slice(0, 12))).toBe(`${id.slice(0, 12)}\n`);
    expect(await out('wait', 'job', id)).toBe('4\n4\n');
    expect(await engine.skiff(['start', '-a', 'job'])).toMatchObject({ code: 4, stdout: 'ran\n', stderr: '' });
    expect(await out('logs', 'job')).toBe('ran\nran\n');
    expect(await out('rm', 'job')).toBe('job\n');
    expect(await engine.containers()).toEqual([]);
  });

  test('is stopped, restarted, renamed and killed by name', async () => {
    await background('one', 'sleep', '1000');
    expect(await out('stop', '-t', '0', 'one')).toBe('one\n');
    expect(await state('one')).toBe('exited');
    expect(await out('restart', '-t', '0', 'one')).toBe('one\n');
    expect(await state('one')).toBe('running');
    expect(await out('rename', 'one', 'two')).toBe('');
    expect(await out('kill', '-s', 'KILL', 'two')).toBe('two\n');
    expect(await out('wait', 'two')).toBe('137\n');
  });

  test('is one of many: what works is done and named in order, what fails is said, and the code is 1', async () => {
    await background('one', 'sleep', '1000');
    await background('two', 'sleep', '1000');
    const ran = await engine.skiff(['rm', '-f', 'one', 'nope', 'two']);
    expect(ran).toMatchObject({
      code: 0,
      stdout: 'one\ntwo\n',
      stderr: 'Error response from daemon: No such container: nope\n',
    });
    expect((await engine.skiff(['stop', 'nope'])).code).toBe(1);
  });

  test('is attached to while it runs, and its exit code is the command’s', async () => {
    await out(
      'run',
      '-di',
      '--name',
      'talker',
      '--network',
      'none',
      'hostbox',
      'sh',
      '-c',
      'read a; echo "got $a"; exit 6',
    );
    expect(await engine.skiff(['attach', 'talker'], { input: 'word\n' })).toMatchObject({
      code: 6,
      stdout: 'got word\n',
    });
  });

  test('is pruned when it has ended, and not before one has agreed', async () => {
    await background('done', 'true');
    await out('wait', 'done');
    await background('busy', 'sleep', '1000');
    const refused = await engine.skiff(['container', 'prune'], { input: 'n\n' });
    expect(refused.stdout).toContain('Are you sure you want to continue? [y/N]');
    expect(refused.code).toBe(1);
    expect((await engine.containers()).sort()).toEqual(['busy', 'done']);
    expect((await engine.skiff(['container', 'prune'], { input: 'y\n' })).stdout).toContain('Deleted Containers:');
    expect(await engine.containers()).toEqual(['busy']);
  });
});

describe.skipIf(!canRunContainers)('logs', () => {
  test('are followed from the last lines on until the container ends', async () => {
    await background(
      'talker',
      'sh',
      '-c',
      'for i in 1 2 3; do echo line $i; done; while ! [ -e /go ]; do sleep 0.05; done; echo last',
    );
    const args = ['--', bundle, '--root', engine.root, 'logs', '-f', '--tail', '2', 'talker'];
    const child = spawn(process.execPath, args, { env: plainEnv(), stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    while (!text.includes('line 3')) await once(child.stdout, 'data');
    await out('exec', 'talker', 'touch', '/go');
    expect((await once(child, 'close'))[0]).toBe(0);
    expect(text).toBe('line 2\nline 3\nlast\n');
  });

  test('of a terminal come as they were written', async () => {
    await out('run', '-dt', '--name', 'tty', '--network', 'none', 'hostbox', 'sh', '-c', 'echo out; echo err >&2');
    await out('wait', 'tty');
    expect(await out('logs', 'tty')).toBe('out\r\nerr\r\n');
  });
});

describe.skipIf(!canRunContainers)('--json', () => {
  test.each([
    ['ps', '-a', '--json'],
    ['images', '--json'],
    ['version', '--json'],
    ['info', '--json'],
    ['top', '--json', 'box'],
    ['inspect', '--json', 'box'],
    ['container', 'prune', '-f', '--json'],
  ])('%s %s is one document', async (...args) => {
    await background('box', 'sleep', '1000');
    const text = await out(...args);
    expect(typeof JSON.parse(text)).toBe('object');
    expect(text.endsWith('\n')).toBe(true);
  });

  test('of events is a document a line', async () => {
    await background('eventful', 'true');
    await out('wait', 'eventful');
    const lines = (await out('events', '--json', '--since', '10m', '--until', '0s', '-f', 'container=eventful'))
      .trim()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line).Action)).toEqual(['create', 'start', 'die']);
  });
});
