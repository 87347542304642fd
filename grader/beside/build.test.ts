/** The same Dockerfiles built by Docker's own classic builder and by ours: what comes out is compared. */

import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from '../../engine/daemon/testing/test-daemon.ts';
import { startDockerd } from '../bench/engines/dockerd.ts';
import type { OtherEngine } from '../bench/engines/other-engine.ts';
import { useUnpackedTools } from '../harness/unpacked-tools.ts';
import { which } from '../vm/tools.ts';
import { SHAPES, type Shape } from './dockerfiles.ts';

const run = promisify(execFile);
useUnpackedTools();
const missing =
  dockerIsMissing() ||
  (process.geteuid?.() !== 0 ? 'dockerd needs root' : which('dockerd') ? undefined : 'there is no dockerd');

describe.skipIf(missing)(`builds beside Docker's${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let folder: string;
  let theirs: OtherEngine;
  let ours: TestDaemon;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-beside-'));
    ours = await TestDaemon.start();
    theirs = await startDockerd(folder);
    const archive = join(folder, 'hostbox.tar');
    await docker(ours.socket, 'save', '-o', archive, 'hostbox');
    await docker(theirs.api.socket, 'load', '-i', archive);
  });
  afterAll(async () => {
    await theirs?.stop();
    expect(await ours?.destroy()).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** @returns what it printed */
  async function docker(socket: string, ...args: string[]): Promise<string> {
    const env = { ...process.env, DOCKER_BUILDKIT: '0' };
    const ran = await run('docker', ['-H', `unix://${socket}`, ...args], { env, maxBuffer: 1 << 28 }).catch(
      ({ code, stdout, stderr }) => ({ stdout: '', failed: `${code}\n${stdout.slice(-3000)}${stderr}` }),
    );
    expect('failed' in ran ? ran.failed : '', `docker ${args.join(' ')}`).toBe('');
    return ran.stdout;
  }

  function contextOf({ files, name }: Shape): string {
    const directory = mkdtempSync(join(folder, 'context-'));
    for (const [file, content] of Object.entries(files)) {
      const path = join(directory, file);
      mkdirSync(dirname(path), { recursive: true });
      if (content.startsWith('-> ')) symlinkSync(content.slice(3), path);
      else {
        writeFileSync(path, content);
        chmodSync(path, 0o640);
      }
    }
    if (name.startsWith('archives')) {
      const tar = (...args: string[]) => execFileSync('tar', ['-C', directory, '--owner=5', '--group=6', ...args]);
      mkdirSync(join(directory, 'in'));
      writeFileSync(join(directory, 'in/file'), 'f');
      chmodSync(join(directory, 'in/file'), 0o4711);
      tar('-cf', join(directory, 'one.tar'), 'in');
      tar('-czf', join(directory, 'two.tar.gz'), 'in/file');
    }
    return directory;
  }

  /** What the image says of itself, less what says when and by whom it was made. */
  async function configOf(socket: string, name: string): Promise<object> {
    const [{ Config, Architecture, Os, Author }] = JSON.parse(await docker(socket, 'inspect', name));
    const FIELDS =
      'User Env Cmd Entrypoint WorkingDir Labels ExposedPorts Volumes StopSignal Healthcheck Shell OnBuild';
    const config = Object.fromEntries(
      FIELDS.split(' ').map((field) => [field, isEmpty(Config[field]) ? undefined : Config[field]]),
    );
    return { ...config, Architecture, Os, Author };
  }

  /** Each file as `tar` tells it, less its time, with the sum of its content. */
  async function treeOf(socket: string, name: string): Promise<string[]> {
    const id = (await docker(socket, 'create', '--network', 'none', name, 'true')).trim();
    const directory = mkdtempSync(join(folder, 'tree-'));
    const archive = join(directory, 'tree.tar');
    await docker(socket, 'export', '-o', archive, id);
    await docker(socket, 'rm', '-v', id);
    const list = execFileSync('tar', ['--numeric-owner', '--full-time', '-tvf', archive], { encoding: 'utf8' });
    return list
      .split('\n')
      .map((line) => line.replace(/\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?/, '').replace(/\s+/g, ' '))
      .filter((line) => !MADE_BY_STARTING.test(line))
      .sort();
  }

  test.each(SHAPES)('$name', async (shape) => {
    const context = contextOf(shape);
    const name = `shape-${SHAPES.indexOf(shape)}`;
    const [mine, dockers] = await Promise.all(
      [ours.socket, theirs.api.socket].map(async (socket) => {
        await docker(socket, 'build', '--network', 'none', ...(shape.options ?? []), '-t', name, context);
        return { config: await configOf(socket, name), tree: await treeOf(socket, name) };
      }),
    );
    expect(mine).toEqual(dockers);
  });
});

/** What an engine puts into a container for its start, which is not part of the image. */
const MADE_BY_STARTING = / (\.dockerenv|(dev|proc|sys|etc\/(hostname|hosts|resolv\.conf|mtab))(\/.*)?( ->.*)?)$/;

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === '' ||
    (typeof value === 'object' && Object.keys(value).length === 0)
  );
}
