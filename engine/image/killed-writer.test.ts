import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { digestOf, parseDigest } from './digest.ts';
import { diffLayer } from './layer.ts';
import { Snapshots } from './snapshots.ts';
import { Store } from './store.ts';
import { isRoot, scratchDirectory, startProgram } from './test-support.ts';

test.skipIf(!isRoot)(
  'writers killed at any moment leave whole blobs and whole layers, and nothing else (needs root)',
  async () => {
    const directory = scratchDirectory();
    const [blobs, snapshots] = [join(directory, 'oci/blobs/sha256'), join(directory, 'snapshots')];
    const finished = new Set<string>();
    // Two at a time, so that one also writes while the other dies.
    const rounds = [0, 1, 2].map(async () => {
      const { child, ended } = startProgram('receive-layers.ts', [directory]);
      child.stdout.on('data', (lines) => {
        for (const line of `${lines}`.split('\n').filter(Boolean)) finished.add(line);
      });
      await once(child.stdout, 'data');
      await pause(randomInt(80));
      child.kill('SIGKILL');
      expect((await ended).signal).toBe('SIGKILL');
    });
    await Promise.all(rounds);

    const store = await Store.open(join(directory, 'oci'));
    await Snapshots.open(snapshots);
    expect(readdirSync(join(directory, 'oci/scratch'))).toEqual([]);
    expect(readdirSync(join(snapshots, 'scratch'))).toEqual([]);
    for (const name of readdirSync(blobs)) expect(digestOf(readFileSync(join(blobs, name)))).toBe(`sha256:${name}`);
    for (const name of readdirSync(snapshots).filter((each) => each !== 'scratch')) {
      // What is unpacked makes the very layer again.
      expect(digestOf(Buffer.concat([...diffLayer(join(snapshots, name))] as Buffer[]))).toBe(`sha256:${name}`);
    }
    expect(finished.size).toBeGreaterThanOrEqual(3);
    for (const diffId of finished) expect(await store.has(parseDigest(diffId)), diffId).toBe(true);
  },
);
