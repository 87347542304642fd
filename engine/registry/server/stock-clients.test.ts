/** Clients that we did not write, against our server. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasProgram } from '../../image/test-support.ts';
import { type OurRegistry, startOurRegistry } from '../testing/our-registry.ts';

const exec = promisify(execFile);
const run = async (program: string, ...args: string[]) => (await exec(program, args, { maxBuffer: 1 << 26 })).stdout;

let scratch: string;
let registry: OurRegistry;
const hasSkopeo = hasProgram('skopeo') && hasProgram('umoci');

beforeAll(async () => {
  scratch = mkdtempSync(path.join(tmpdir(), 'skiff-clients-'));
  registry = await startOurRegistry();
  if (hasSkopeo) await makeImage();
});

afterAll(async () => {
  await registry?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

/** Two layers of a few bytes, without root. */
async function makeImage(): Promise<void> {
  const layout = path.join(scratch, 'image');
  await run('umoci', 'init', '--layout', layout);
  await run('umoci', 'new', '--image', `${layout}:one`);
  for (const name of ['a', 'b']) {
    writeFileSync(path.join(scratch, name), `${name}\n`);
    await run('umoci', 'insert', '--rootless', '--image', `${layout}:one`, path.join(scratch, name), `/${name}`);
  }
}

const digestOf = (directory: string) => run('skopeo', 'manifest-digest', path.join(directory, 'manifest.json'));

test.skipIf(!hasSkopeo)('an image that skopeo pushes comes back unchanged (needs skopeo, umoci)', async () => {
  const there = `docker://${registry.host}/library/image:one`;
  await run('skopeo', 'copy', '--dest-tls-verify=false', `oci:${scratch}/image:one`, there);
  await run('skopeo', 'copy', '--src-tls-verify=false', there, `dir:${scratch}/pulled`);
  await run('skopeo', 'copy', `oci:${scratch}/image:one`, `dir:${scratch}/direct`);
  expect(await digestOf(`${scratch}/pulled`)).toBe(await digestOf(`${scratch}/direct`));
  expect(readFileSync(`${scratch}/pulled/manifest.json`)).toEqual(readFileSync(`${scratch}/direct/manifest.json`));
  expect(registry.log()).toBe('');
});
