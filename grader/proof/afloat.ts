/** The engine with a solution in place of its own plank still does what an engine is for. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { home } from '../harness/home.ts';
import type { LabFolder } from '../lab.ts';

const run = promisify(execFile);

/** The labs about registries. */
const REGISTRY_PART = 3;

/** What the engine did, for the table. */
export function afloatBy({ part }: LabFolder): string {
  return part === REGISTRY_PART ? 'pushes, pulls, runs a container' : 'runs a container';
}

/** Run a container. For a lab about registries, push its image to a registry first, and pull it back. @throws Error */
export async function staysAfloat({ id, part }: LabFolder): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-proof-'));
  const condition = `solution-${id}`;
  const bundle = (name: string) => path.join(home, '.build', condition, `${name}.cjs`);
  await run(process.execPath, [path.join(home, 'engine/build.mjs'), '--conditions', condition]);
  const skiff = (...args: string[]) => run(process.execPath, [bundle('skiff'), '--root', root, ...args]);
  const says = async (image: string) => {
    const { stdout } = await skiff('run', '--rm', '--network', 'none', image, 'sh', '-c', 'echo afloat in $$');
    if (stdout !== 'afloat in 1\n')
      throw new Error(`The container of ${image} should say "afloat in 1", not "${stdout}"`);
  };
  let registry: ChildProcess | undefined;
  try {
    await says('hostbox');
    if (part !== REGISTRY_PART) return;
    const served = [bundle('registry'), 'serve', '--listen', '127.0.0.1:0', '--data', path.join(root, 'registry')];
    registry = spawn(process.execPath, served, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface(registry.stdout!), 'line');
    const image = `${String(line).replace(/^.* http:\/\//, '')}/some/hostbox:afloat`;
    await skiff('tag', 'hostbox', image);
    await skiff('push', image);
    await skiff('rmi', image, 'hostbox');
    await skiff('pull', image);
    await says(image);
  } finally {
    if (registry?.kill()) await once(registry, 'close');
    await skiff('daemon', 'stop');
    fs.rmSync(root, { recursive: true, force: true });
  }
}
