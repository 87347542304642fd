import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFrozen } from '../runtime/cgroups/freezer.ts';
import { TestDaemon } from './testing/test-daemon.ts';

let daemon: TestDaemon;
let key: string;
beforeAll(async () => {
  daemon = await TestDaemon.start();
  key = (await daemon.get('/info')).json.ID;
});
afterAll(async () => {
  expect(await daemon?.destroy()).toEqual([]);
  expect(daemon.errors).toBe('');
});

interface Subject {
  id: string;
  /** Of its first process, on the host. */
  pid: number;
}

/** Ends with 3 when it is told to; every request below leaves it alone or ends it. */
const PROGRAM = 'trap "exit 3" USR1; sleep 1000 & wait';

/** What docs/engine.md allows each request to answer, whatever happens beside it. */
const ACTS: Record<string, { allowed: number[]; act(subject: Subject): Promise<number[]> }> = {
  commit: {
    allowed: [201, 404, 409],
    act: async ({ id }) => [await status('POST', `/commit?container=${id}`, '{}')],
  },
  pause: { allowed: [204, 404, 409], act: async ({ id }) => [await status('POST', `/containers/${id}/pause`)] },
  unpause: { allowed: [204, 404, 409], act: async ({ id }) => [await status('POST', `/containers/${id}/unpause`)] },
  stop: { allowed: [204, 304, 404], act: async ({ id }) => [await status('POST', `/containers/${id}/stop?t=0`)] },
  kill: { allowed: [204, 404, 409], act: async ({ id }) => [await status('POST', `/containers/${id}/kill`)] },
  exit: {
    allowed: [],
    act: async ({ pid }) => {
      try {
        process.kill(pid, 'SIGUSR1');
      } catch {
        // What it is beside was quicker.
      }
      return [];
    },
  },
  rm: { allowed: [204, 404, 409], act: async ({ id }) => [await status('DELETE', `/containers/${id}?force=1`)] },
  exec: {
    allowed: [200, 201, 404, 409],
    act: async ({ id }) => {
      const body = JSON.stringify({ Cmd: ['true'] });
      const made = await daemon.exchange('POST', `/containers/${id}/exec`, body);
      if (made.status !== 201) return [made.status];
      return [made.status, await status('POST', `/exec/${made.json.Id}/start`, '{"Detach":true}')];
    },
  },
  cp: {
    allowed: [200, 404, 409],
    act: async ({ id }) => [await status('GET', `/containers/${id}/archive?path=/etc/hostname`)],
  },
  update: {
    allowed: [200, 404, 409],
    act: async ({ id }) => [await status('POST', `/containers/${id}/update`, '{"CpuShares":512}')],
  },
};

const told: string[] = [];

async function status(method: string, url: string, body?: string): Promise<number> {
  const answer = await daemon.exchange(method, url, body);
  if (answer.status >= 500) told.push(`${method} ${url}: ${answer.text}`);
  return answer.status;
}

async function start(args: string[] = ['sh', '-c', PROGRAM]): Promise<Subject> {
  const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: args });
  expect((await daemon.post(`/containers/${json.Id}/start`)).status).toBe(204);
  return { id: json.Id, pid: (await daemon.get(`/containers/${json.Id}/json`)).json.State.Pid };
}

/** The record, the process and the freezer say the same, once what was under way has been told. */
async function expectSettled({ id, pid }: Subject): Promise<void> {
  await expect
    .poll(async () => {
      const { status: answered, json } = await daemon.get(`/containers/${id}/json`);
      const frozen = isFrozen(`/skiff/${key}/${id}`);
      if (answered === 404) return `gone ${frozen}`;
      const lives = json.State.Pid === pid;
      return `${json.State.Status} ${lives} ${frozen}`;
    })
    .toMatch(/^(gone false|exited false false|running true false|paused true true)$/);
}

async function walk(first: string, second: string): Promise<void> {
  const subject = await start();
  const [one, other] = [ACTS[first]!, ACTS[second]!];
  const answers = await Promise.all([one.act(subject), other.act(subject)]);
  expect(told.splice(0), `${first} beside ${second}`).toEqual([]);
  for (const [index, { allowed }] of [one, other].entries())
    for (const answer of answers[index]!)
      expect(allowed, `${index === 0 ? first : second} in ${first} beside ${second}`).toContain(answer);
  await expectSettled(subject);
  expect([204, 404]).toContain(await status('DELETE', `/containers/${subject.id}?force=1`));
  expect(await status('GET', `/containers/${subject.id}/json`)).toBe(404);
}

describe('two requests at the same time end in a state the documentation allows, and never in a 500', () => {
  const names = Object.keys(ACTS);
  test.each(names)('%s beside each that follows, and beside itself', { timeout: 600_000 }, async (first) => {
    for (const second of names.slice(names.indexOf(first))) await walk(first, second);
  });
});

test('a container that ends at once can be committed right after its start', async () => {
  for (let round = 0; round < 12; round++) {
    const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['touch', '/t'] });
    await daemon.post(`/containers/${json.Id}/start`);
    const { status: answered, text } = await daemon.exchange('POST', `/commit?container=${json.Id}`, '{}');
    expect(answered, text).toBe(201);
    expect(await status('DELETE', `/containers/${json.Id}?force=1`)).toBe(204);
  }
});

test('a container that is not to be forced is not removed when it has been started meanwhile', async () => {
  const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['sleep', '60'] });
  const url = `/containers/${json.Id}`;
  const [started, removed] = await Promise.all([status('POST', `${url}/start`), status('DELETE', url)]);
  if (removed === 204) expect([204, 404, 409]).toContain(started);
  else expect([started, removed, (await daemon.get(`${url}/json`)).json.State.Status]).toEqual([204, 409, 'running']);
  await status('DELETE', `${url}?force=1`);
});
