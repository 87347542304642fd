/** What `docker diff` says of the same changes in a container of Docker's and in one of ours. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from '../../engine/daemon/testing/test-daemon.ts';
import { startDockerd } from '../bench/engines/dockerd.ts';
import type { OtherEngine } from '../bench/engines/other-engine.ts';
import { useUnpackedTools } from '../harness/unpacked-tools.ts';
import { which } from '../vm/tools.ts';

const run = promisify(execFile);
useUnpackedTools();
const missing =
  dockerIsMissing() ||
  (process.geteuid?.() !== 0 ? 'dockerd needs root' : which('dockerd') ? undefined : 'there is no dockerd');

/** Made in two layers above hostbox, once for each of CHANGES, so that whiteouts and opaque directories are below, too. */
const BELOW = [
  'mkdir -p a/b gone remade/sub kept; for f in a/x a/b/y gone/f remade/old remade/sub/deep kept/k; do echo $f >$f; done; ln -s a link; mkfifo pipe; ln kept/k kept/second',
  'rm a/x; rm -r gone; rm -r remade; mkdir remade; echo new >remade/new',
];

const CHANGES: Record<string, string> = {
  nothing: 'true',
  'a file that is opened for writing and not written': 'exec 3>>kept/k; exec 3>&-',
  'a file that is written, and one whose mode is changed': 'echo more >>kept/k; chmod 600 a/b/y',
  'a mode that is changed and changed back': 'chmod 600 kept/k; chmod 644 kept/k; chmod 700 a; chmod 755 a',
  'an owner of a directory': 'chown 5:6 a/b',
  'times alone': 'touch -d @1000000000 kept/k; touch -d @1000000000 a',
  'something made and removed again': 'echo >a/new; rm a/new; mkdir b; rmdir b',
  'a tree': 'mkdir -p new/deep/er; echo >new/deep/er/f; ln -s f new/deep/er/l; mkfifo new/p',
  'what the layers below have deleted': 'echo >a/x; mkdir gone; echo >gone/g; echo >remade/old',
  removals: 'rm kept/k link pipe; rm -r a remade',
  'a directory made anew': 'rm -r a; mkdir a; echo >a/other; mkdir a/b; echo >a/b/y',
  'a directory made anew as it was': 'rm -r kept; mkdir kept',
  'a file in the place of a directory': 'rm -r a; echo >a',
  'a directory in the place of a file': 'rm kept/k; mkdir kept/k; echo >kept/k/f',
  'a link in the place of a directory': 'mv a moved; ln -s moved a',
  renames: 'mv kept/k kept/renamed; mv remade elsewhere',
  'another name for a file': 'ln kept/k kept/third',
  'the root itself': 'chmod 711 /',
  'names of all kinds': 'echo >"a b"; echo >"-x"; echo >ä; mkdir a-b; echo >a-b/.wh.x; echo >".c,d:e\\f"',
};

/** Each script in a directory of its own, which is called as its number. */
function inDirectories(scripts: string[]): string {
  return scripts.map((script, index) => `mkdir -p /t/${index}; cd /t/${index}; ${script}`).join('\n');
}

describe.skipIf(missing)(`docker diff beside Docker's${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let folder: string;
  let theirs: OtherEngine;
  let ours: TestDaemon;
  let diffs: { their: string[]; our: string[] };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-diff-'));
    [ours, theirs] = await Promise.all([TestDaemon.start(), startDockerd(folder)]);
    const scripts = Object.values(CHANGES);
    for (const [index, script] of BELOW.entries()) {
      const base = index === 0 ? 'hostbox' : 'changed';
      const everywhere = inDirectories(scripts.map(() => script));
      await docker(ours.socket, 'run', '--name', 'base', '--network', 'none', base, 'sh', '-ec', everywhere);
      await docker(ours.socket, 'commit', 'base', 'changed');
      await docker(ours.socket, 'rm', 'base');
    }
    const archive = join(folder, 'changed.tar');
    await docker(ours.socket, 'save', '-o', archive, 'changed');
    await docker(theirs.api.socket, 'load', '-i', archive);
    const [their, our] = await Promise.all([theirs.api.socket, ours.socket].map((at) => diffOf(at, scripts)));
    diffs = { their: their!, our: our! };
  });
  afterAll(async () => {
    await theirs?.stop();
    expect(await ours?.destroy()).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function docker(socket: string, ...args: string[]): Promise<string> {
    return (await run('docker', ['-H', `unix://${socket}`, ...args])).stdout;
  }

  async function diffOf(socket: string, scripts: string[]): Promise<string[]> {
    const all = inDirectories(scripts);
    const id = (await docker(socket, 'create', '--network', 'none', 'changed', 'sh', '-ec', all)).trim();
    await docker(socket, 'start', '-a', id);
    return (await docker(socket, 'diff', id)).split('\n').filter(Boolean).sort();
  }

  test.each(Object.keys(CHANGES).map((title, index) => [title, index] as const))('%s', (_, index) => {
    const of = (lines: string[]) => lines.filter((line) => new RegExp(`^. /t/${index}(/|$)`).test(line));
    expect(of(diffs.our)).toEqual(of(diffs.their));
  });

  test('nothing else is listed', () => {
    const others = (lines: string[]) => lines.filter((line) => !/^. \/t\//.test(line));
    expect(others(diffs.our)).toEqual(others(diffs.their));
    expect(diffs.their.length).toBeGreaterThan(Object.keys(CHANGES).length);
  });
});
