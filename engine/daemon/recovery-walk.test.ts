/**
 * Kill the daemon, the shim, or both, at a step of a start, an exec, a stop and a removal, and see what is left. A step is
 * the moment before a call that changes something outside of the process (testing/steps.cjs). Each run takes some of the
 * steps, spread evenly; SKIFF_WALK=all takes all of them, which is a matter of many minutes.
 */

import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostCgroups } from '../runtime/cgroups/host.ts';
import { type Step, Steps } from './testing/steps.ts';
import { TestDaemon, untilGone } from './testing/test-daemon.ts';

const CASES = process.env.SKIFF_WALK === 'all' ? Number.POSITIVE_INFINITY : 12;
const PATIENCE = process.env.SKIFF_WALK === 'all' ? 3_600_000 : 120_000;
const WHO = ['daemon', 'shim', 'both'] as const;
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a daemon or shim that is killed at any step', () => {
  const steps = new Steps();
  let daemon: TestDaemon;
  let key: string;
  beforeAll(async () => {
    daemon = await TestDaemon.start('', steps.bundles);
    key = (await daemon.get('/info')).json.ID;
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
    steps.close();
  });

  interface Operation {
    /** Brings a new container where the operation begins. */
    prepare: (id: string) => Promise<unknown>;
    run: (id: string) => Promise<unknown>;
  }
  const start = (id: string) => daemon.post(`/containers/${id}/start`);
  const operations: Record<string, Operation> = {
    'a start': { prepare: async () => {}, run: start },
    'an exec': {
      prepare: start,
      run: async (id) => {
        const { json } = await daemon.post(`/containers/${id}/exec`, { Cmd: ['true'], AttachStdout: true });
        await daemon.exchange('POST', `/exec/${json.Id}/start`, JSON.stringify({ Detach: true }));
      },
    },
    'a stop': { prepare: start, run: (id) => daemon.post(`/containers/${id}/stop?t=0`) },
    'a removal': { prepare: start, run: (id) => daemon.request('DELETE', `/containers/${id}?force=1`) },
  };

  let made = 0;
  async function newContainer(name = `walk-${made++}`): Promise<string> {
    const config = { Image: 'hostbox', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'none' } };
    const { status, json } = await daemon.post(`/containers/create?name=${name}`, config);
    expect(status, `the name ${name}`).toBe(201);
    return json.Id;
  }

  let shimInUse: number | null = null;

  /** A new container where the operation begins, and a shim at work, so that the steps are the same each time. */
  async function ready({ prepare }: Operation, name?: string): Promise<string> {
    // One that is only just being started has steps of its own.
    if (shimInUse === null || daemon.shimPid() !== shimInUse) {
      const first = await newContainer();
      await start(first);
      await daemon.request('DELETE', `/containers/${first}?force=1`);
      shimInUse = daemon.shimPid();
    }
    const id = await newContainer(name);
    await prepare(id);
    return id;
  }

  /** The steps of an operation that nobody disturbs. */
  async function stepsOf(operation: Operation): Promise<Step[]> {
    const id = await ready(operation);
    steps.record();
    await operation.run(id);
    const recorded = steps.recorded();
    await daemon.request('DELETE', `/containers/${id}?force=1`);
    return recorded;
  }

  /** Kill, and bring back what has to be brought back. */
  async function kill(who: (typeof WHO)[number]): Promise<void> {
    const shim = daemon.shimPid();
    if (who !== 'shim') await daemon.crash();
    if (who !== 'daemon' && shim !== null) {
      process.kill(shim, 'SIGKILL');
      expect(await untilGone(shim)).toBe(true);
    }
    // A caller that waited and lives goes on.
    steps.release();
    if (who !== 'shim') await daemon.launch();
  }

  /** What the daemon says of a container has to be what the kernel says. */
  async function checkTruth(id: string, where: string): Promise<void> {
    const look = async () => {
      const { status, json } = await daemon.get(`/containers/${id}/json`);
      if (status === 404) return 'gone';
      const { Running, Pid } = json.State;
      const inGroup = hostCgroups().find(`/skiff/${key}/${id}`)?.processes() ?? [];
      if (Running && fs.existsSync(`/proc/${Pid}`) && inGroup.includes(Pid)) return 'runs';
      if (!Running && inGroup.length === 0) return 'rests';
      return `says running ${Running}, in its cgroup are ${inGroup}; the daemon said: ${daemon.errors.slice(-400)}`;
    };
    await expect.poll(look, { message: where }).toMatch(/^(gone|runs|rests)$/);
  }

  async function disturb(operation: Operation, step: Step, who: (typeof WHO)[number]): Promise<boolean> {
    const where = `${who} killed before ${step.name} (${step.actor}, step ${step.index})`;
    const name = `walk-${made++}`;
    const id = await ready(operation, name);
    const held = steps.hold(step);
    const answered = operation.run(id).catch(() => {});
    // How many steps there are differs a little from time to time: then it is over before it is held up.
    const isHeld = await Promise.race([held.then(() => true), answered.then(() => false)]);
    await kill(who);
    await answered;
    steps.over();
    await checkTruth(id, where);
    const removed = await daemon.request('DELETE', `/containers/${id}?force=1`);
    expect([204, 404], `${where}: removal said ${removed.text}`).toContain(removed.status);
    expect(hostCgroups().find(`/skiff/${key}/${id}`), `${where}: its cgroup`).toBeNull();
    expect(fs.existsSync(`${daemon.root}/containers/${id}`), `${where}: its directory`).toBe(false);
    const again = await newContainer(name);
    expect((await start(again)).status, `${where}: a start afterwards`).toBe(204);
    await daemon.request('DELETE', `/containers/${again}?force=1`);
    return isHeld;
  }

  test.each(Object.keys(operations))(
    'of %s',
    async (title) => {
      const operation = operations[title]!;
      const all = await stepsOf(operation);
      expect(all.length).toBeGreaterThan(3);
      const cases = all.flatMap((step) => WHO.map((who) => ({ step, who })));
      const every = Math.max(1, cases.length / CASES);
      let [held, tried] = [0, 0];
      for (let at = 0; at < cases.length; at += every) {
        const { step, who } = cases[Math.floor(at)]!;
        if (await disturb(operation, step, who)) held++;
        tried++;
      }
      expect(held, `steps of ${tried} at which somebody was held up`).toBeGreaterThan(tried / 2);
      const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
      expect(mounts.filter((line) => line.includes(daemon.root))).toEqual([]);
    },
    PATIENCE,
  );
});
