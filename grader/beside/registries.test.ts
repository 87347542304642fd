/**
 * Clients and registries, the engine's and the solutions', each with each: an image that one client pushes comes back to
 * another one as it was. And clients that we did not write, against the registry with the solution's plank.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasProgram } from '../../engine/image/test-support.ts';
import { home } from '../harness/home.ts';
import { readLabs } from '../lab.ts';

const run = promisify(execFile);
const ids = readLabs(home).map(({ id }) => id);
const ofClients = ['pull', 'push'].filter((id) => ids.includes(id)).map((id) => `solution-${id}`);

/** The bundles of a mix of planks. */
async function bundlesOf(conditions: string[]): Promise<string> {
  const chosen = conditions.length > 0 ? ['--conditions', conditions.join(',')] : ['--need', 'skiff'];
  await run(process.execPath, [path.join(home, 'engine/build.mjs'), ...chosen]);
  return path.join(home, '.build', conditions.length > 0 ? conditions.join('+') : 'default');
}

/** An engine on a root of its own. */
class Client {
  readonly root = mkdtempSync(path.join(tmpdir(), 'skiff-beside-'));
  readonly bundles: string;

  constructor(bundles: string) {
    this.bundles = bundles;
  }

  async skiff(...args: string[]): Promise<string> {
    const command = [path.join(this.bundles, 'skiff.cjs'), '--root', this.root, ...args];
    return (await run(process.execPath, command)).stdout;
  }

  async docker(...args: string[]): Promise<string> {
    return (await run('docker', ['-H', `unix://${this.root}/run/skiff.sock`, ...args])).stdout;
  }

  async end(): Promise<void> {
    await this.skiff('daemon', 'stop');
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** `skiff registry serve` of these bundles. */
class Registry {
  readonly data = mkdtempSync(path.join(tmpdir(), 'skiff-beside-'));
  readonly bundles: string;
  host = '';
  #process: ChildProcess | undefined;

  constructor(bundles: string) {
    this.bundles = bundles;
  }

  async start(): Promise<void> {
    const served = [path.join(this.bundles, 'registry.cjs'), 'serve', '--listen', '127.0.0.1:0', '--data', this.data];
    this.#process = spawn(process.execPath, served, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface(this.#process.stdout!), 'line');
    this.host = `${line}`.replace(/^.* http:\/\//, '');
  }

  /** What `skiff registry check` finds. */
  async check(): Promise<string> {
    const command = [path.join(this.bundles, 'registry.cjs'), 'check', '--data', this.data];
    return (await run(process.execPath, command)).stdout;
  }

  async end(): Promise<void> {
    if (this.#process?.kill()) await once(this.#process, 'close');
    rmSync(this.data, { recursive: true, force: true });
  }
}

const clients = new Map<string, Client>();
const registries = new Map<string, Registry>();
const names = ["the engine's", "the solution's"] as const;

beforeAll(async () => {
  const [engine, solution] = [await bundlesOf([]), await bundlesOf(['solution-registry'])];
  clients.set(names[0], new Client(engine));
  clients.set(names[1], new Client(await bundlesOf(ofClients)));
  registries.set(names[0], new Registry(engine));
  registries.set(names[1], new Registry(solution));
  for (const registry of registries.values()) await registry.start();
  for (const client of clients.values()) await client.skiff('run', '--rm', '--network', 'none', 'hostbox', 'true');
});

afterAll(async () => {
  for (const each of [...clients.values(), ...registries.values()]) await each.end();
});

const pairs = names.flatMap((from) => names.map((to): [from: string, to: string] => [from, to]));

describe.each(names)('through %s registry', (kept) => {
  test.each(pairs)('what %s push sends comes back by %s pull as it was', async (from, to) => {
    const [sender, receiver, registry] = [clients.get(from)!, clients.get(to)!, registries.get(kept)!];
    const image = `${registry.host}/from/client-${names.indexOf(from as never)}:to-${names.indexOf(to as never)}`;
    await sender.skiff('tag', 'hostbox', image);
    const id = await sender.skiff('images', '-q', '--no-trunc', image);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    await sender.skiff('push', image);
    await sender.skiff('rmi', image);
    await receiver.skiff('pull', image);
    expect(await receiver.skiff('images', '-q', '--no-trunc', image)).toBe(id);
    const said = await receiver.skiff('run', '--rm', '--network', 'none', image, 'sh', '-c', 'echo afloat in $$');
    expect(said).toBe('afloat in 1\n');
    await receiver.skiff('rmi', image);
    expect(await registry.check()).toContain('all whole');
  });
});

describe("stock clients and the solution's registry", () => {
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];

  test.skipIf(!hasProgram('skopeo'))('skopeo copies an image through it unchanged (needs skopeo)', async () => {
    const [client, registry] = [clients.get(names[0])!, registries.get(names[1])!];
    const scratch = mkdtempSync(path.join(tmpdir(), 'skiff-beside-'));
    try {
      const image = `${registry.host}/for/skopeo`;
      await client.skiff('tag', 'hostbox', `${image}:one`);
      await client.skiff('push', `${image}:one`);
      const skopeo = async (...args: string[]) => (await run('skopeo', args)).stdout;
      await skopeo(
        'copy',
        '--preserve-digests',
        ...insecure,
        `docker://${image}:one`,
        `docker://${registry.host}/for/another:two`,
      );
      await skopeo('copy', ...insecure, `docker://${image}:one`, `dir:${scratch}/one`);
      await skopeo('copy', ...insecure, `docker://${registry.host}/for/another:two`, `dir:${scratch}/two`);
      const files = readdirSync(`${scratch}/one`).sort();
      expect(files.length).toBeGreaterThanOrEqual(4);
      expect(readdirSync(`${scratch}/two`).sort()).toEqual(files);
      for (const file of files)
        expect(readFileSync(`${scratch}/two/${file}`).equals(readFileSync(`${scratch}/one/${file}`)), file).toBe(true);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  test.skipIf(!hasProgram('docker'))('docker pushes to it and pulls from it (needs docker)', async () => {
    const [client, registry] = [clients.get(names[1])!, registries.get(names[1])!];
    const image = `${registry.host}/for/docker:one`;
    // A daemon that nobody has asked for a while has ended.
    const id = await client.skiff('images', '-q', '--no-trunc', 'hostbox');
    await client.docker('tag', 'hostbox', image);
    await client.docker('push', image);
    await client.docker('rmi', image);
    await client.docker('pull', image);
    expect(await client.docker('images', '-q', '--no-trunc', image)).toBe(id);
  });
});
