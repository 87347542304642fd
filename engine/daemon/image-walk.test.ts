/**
 * Kill the daemon, or hang up on it, at a step of a load, an import, a commit, a build and a save, and see what is left: the
 * image as a whole, maybe without its name, or nothing of it; no file that belongs to nobody; and an engine that does the same
 * again. What a step is:
 * testing/steps.cjs. Each run takes some of the steps, spread evenly; SKIFF_WALK=all takes all of them.
 */

import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packEntries } from '../image/archive.ts';
import { type Step, Steps } from './testing/steps.ts';
import { TestDaemon } from './testing/test-daemon.ts';

const ALL = process.env.SKIFF_WALK === 'all';
const CASES = ALL ? Number.POSITIVE_INFINITY : 10;
const PATIENCE = ALL ? 3_600_000 : 120_000;
const HOW = ['killed', 'hung up on'] as const;

describe.skipIf(process.getuid?.() !== 0)('what becomes of images when the daemon, or the client, goes', () => {
  const steps = new Steps();
  let daemon: TestDaemon;
  /** A container that has changed something. */
  let container: string;
  /** An archive of an image of two layers. */
  let archive: Buffer;

  interface Operation {
    method: string;
    url: string;
    body: () => Buffer | undefined;
    /** The image it makes; none if undefined. */
    makes: string | undefined;
  }
  const tar = (files: Record<string, string>) =>
    Buffer.concat([
      ...packEntries(
        Object.entries(files).map(([name, content]) => ({
          type: 'file' as const,
          path: name,
          mode: 0o755,
          mtime: new Date(0),
          content,
        })),
      ),
    ]);
  const dockerfile =
    'FROM hostbox AS a\nRUN echo a > /a\nFROM hostbox\nCOPY --from=a /a /a\nRUN --mount=type=cache,target=/c cat /a > /b\n';
  const operations: Record<string, Operation> = {
    load: { method: 'POST', url: '/images/load', body: () => archive, makes: 'walked:load' },
    import: {
      method: 'POST',
      url: '/images/create?fromSrc=-&repo=walked&tag=import',
      body: () => gzipSync(tar({ file: 'imported' })),
      makes: 'walked:import',
    },
    commit: { method: 'POST', url: '/commit?repo=walked&tag=commit', body: () => undefined, makes: 'walked:commit' },
    build: {
      method: 'POST',
      url: '/build?t=walked:build&nocache=1',
      body: () => tar({ Dockerfile: dockerfile }),
      makes: 'walked:build',
    },
    save: { method: 'GET', url: '/images/hostbox/get', body: () => undefined, makes: undefined },
  };

  /** Ask, as a client that can hang up. */
  function ask({ method, url, body }: Operation): { request: http.ClientRequest; answer: Promise<Buffer> } {
    const target = url.startsWith('/commit') ? `${url}&container=${container}` : url;
    const request = http.request({ socketPath: daemon.socket, method, path: target, agent: false });
    const answer = (async () => {
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    })();
    answer.catch(() => {});
    request.on('error', () => {});
    request.end(body());
    return { request, answer };
  }

  beforeAll(async () => {
    daemon = await TestDaemon.start('', steps.bundles);
    const created = await daemon.post('/containers/create', {
      Image: 'hostbox',
      Cmd: ['sh', '-c', 'echo changed > /file'],
      HostConfig: { NetworkMode: 'none' },
    });
    container = created.json.Id;
    await daemon.post(`/containers/${container}/start`);
    await daemon.post(`/containers/${container}/wait`);
    await daemon.post(`/commit?container=${container}&repo=walked&tag=load`);
    archive = await ask({ ...operations.save!, url: '/images/walked:load/get' }).answer;
    await forget('walked:load');
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
    steps.close();
  });

  async function forget(image: string | undefined): Promise<void> {
    if (image === undefined) return;
    await daemon.request('DELETE', `/images/${image}?force=1`);
    await daemon.post('/build/prune');
    await daemon.post('/images/prune');
  }

  /** Everything of the images, the builds and the containers that is on the disk, by name. */
  function onDisk(): string[] {
    const below = (directory: string, depth: number): string[] =>
      fs.readdirSync(path.join(daemon.root, directory), { withFileTypes: true }).flatMap((entry) => {
        const name = `${directory}/${entry.name}`;
        return entry.isDirectory() && depth > 1 ? [name, ...below(name, depth - 1)] : [name];
      });
    const list = [below('images/oci', 3), below('images/snapshots', 1), below('builds', 1), below('containers', 1)];
    return [...list.flat(), ...below('removed', 1)].sort();
  }

  async function stepsOf(operation: Operation): Promise<Step[]> {
    steps.record();
    await ask(operation).answer;
    const recorded = steps.recorded().filter(({ actor }) => actor === 'daemon');
    await forget(operation.makes);
    return recorded;
  }

  async function disturb(operation: Operation, step: Step, how: (typeof HOW)[number], before: string[]) {
    const where = `${how} before ${step.name} (step ${step.index})`;
    const held = steps.hold(step);
    const { request, answer } = ask(operation);
    const isHeld = await Promise.race([
      held.then(() => true),
      answer.then(
        () => false,
        () => false,
      ),
    ]);
    if (how === 'killed') {
      await daemon.crash();
      steps.release();
      await daemon.launch();
    } else {
      request.destroy();
      steps.release();
    }
    await answer.catch(() => {});
    // It has heard that it may go on, before anybody else is told to wait.
    await daemon.get('/info');
    steps.over();
    if (operation.makes !== undefined) {
      // A client that has gone is noticed in a moment, and what was done by then may have been all.
      const settled = async () => {
        await forget(operation.makes);
        return onDisk();
      };
      await expect.poll(settled, { message: where }).toEqual(before);
    } else expect(onDisk(), where).toEqual(before);
    return isHeld;
  }

  test.each(Object.keys(operations))(
    '%s',
    async (title) => {
      const operation = operations[title]!;
      await ask(operation).answer;
      await forget(operation.makes);
      const before = onDisk();
      const all = await stepsOf(operation);
      const cases = all.flatMap((step) => HOW.map((how) => ({ step, how })));
      const every = Math.max(1, cases.length / CASES);
      let [held, tried] = [0, 0];
      for (let at = 0; at < cases.length; at += every) {
        const { step, how } = cases[Math.floor(at)]!;
        if (await disturb(operation, step, how, before)) held++;
        tried++;
      }
      if (operation.makes === undefined) return;
      expect(held, `steps of ${tried} at which the daemon was held up`).toBeGreaterThan(tried / 2);
      await ask(operation).answer;
      expect((await daemon.get(`/images/${operation.makes}/json`)).status).toBe(200);
      await forget(operation.makes);
      expect(onDisk()).toEqual(before);
    },
    PATIENCE,
  );
});
