import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostCgroups } from '../runtime/cgroups/host.ts';
import { TestDaemon, untilGone } from './testing/test-daemon.ts';

let daemon: TestDaemon;
beforeEach(async () => {
  daemon = await TestDaemon.start();
});
afterEach(async () => {
  expect(await daemon.destroy()).toEqual([]);
});

const COUNT = 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo $i; sleep 0.05; done; exit 5';

async function run(command: string[], hostConfig: object = {}): Promise<string> {
  const { json, status, text } = await daemon.post('/containers/create', {
    Image: 'hostbox',
    Cmd: command,
    HostConfig: hostConfig,
  });
  expect(status, text).toBe(201);
  expect((await daemon.post(`/containers/${json.Id}/start`)).status).toBe(204);
  return json.Id;
}

async function state(id: string) {
  return (await daemon.get(`/containers/${id}/json`)).json.State;
}

async function output(id: string): Promise<string[]> {
  const { text } = await daemon.exchange('GET', `/containers/${id}/logs?stdout=1`);
  return text
    .split('\n')
    .map((line) => line.slice(8))
    .filter(Boolean);
}

const numbers = Array.from({ length: 30 }, (_, index) => String(index + 1));

function recordFile(id: string): string {
  return path.join(daemon.root, 'containers', id, 'container.json');
}

function editRecord(id: string, change: object): void {
  const record = JSON.parse(fs.readFileSync(recordFile(id), 'utf8'));
  fs.writeFileSync(recordFile(id), JSON.stringify({ ...record, ...change }));
}

test('a container outlives its daemon: it runs on, its log has no gap, its exit code is right', async () => {
  const shared = path.join(daemon.root, 'shared');
  fs.mkdirSync(shared);
  const count = 'i=0; while [ ! -e /shared/stop ]; do i=$((i+1)); echo $i; sleep 0.02; done; exit 5';
  const id = await run(['sh', '-c', count], { Binds: [`${shared}:/shared`] });
  const { Pid: pid, StartedAt: startedAt } = await state(id);
  await daemon.crash();
  await daemon.launch();
  const found = await state(id);
  expect(found).toMatchObject({ Status: 'running', Pid: pid });
  expect(Date.parse(found.StartedAt)).toBeLessThanOrEqual(Date.parse(startedAt));
  const seen = (await output(id)).length;
  await expect.poll(async () => (await output(id)).length).toBeGreaterThan(seen);
  fs.writeFileSync(path.join(shared, 'stop'), '');
  expect((await daemon.post(`/containers/${id}/wait`)).json).toEqual({ StatusCode: 5 });
  const lines = await output(id);
  expect(lines).toEqual(lines.map((_, index) => String(index + 1)));
});

test('a container that ends while there is no daemon is found ended, with its exit code and its whole log', async () => {
  const id = await run(['sh', '-c', COUNT]);
  const gone = await run(['sh', '-c', 'sleep 0.2; exit 1'], { AutoRemove: true });
  const { Pid: pid } = await state(id);
  const shim = daemon.shimPid()!;
  await daemon.crash();
  await untilGone(pid);
  // Nothing runs and nobody is connected: the shim's end too.
  expect(await untilGone(shim)).toBe(true);
  await daemon.launch();
  expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 5, Pid: 0 });
  expect(await output(id)).toEqual(numbers);
  expect((await daemon.get(`/containers/${gone}/json`)).status).toBe(404);
  expect(fs.readdirSync(path.join(daemon.root, 'run', 'exits'))).toEqual([]);
});

test('an orderly stop of the daemon leaves containers running, too', async () => {
  const id = await run(['sh', '-c', COUNT]);
  daemon.process!.kill('SIGTERM');
  await new Promise((resolve) => daemon.process!.once('exit', resolve));
  await daemon.launch();
  expect((await daemon.post(`/containers/${id}/wait`)).json).toEqual({ StatusCode: 5 });
});

test('with the shim its containers end: 137, no process, no cgroup, and the daemon goes on', async () => {
  const id = await run(['sh', '-c', 'sleep 1000 & sleep 1000']);
  const temporary = await run(['sleep', '1000'], { AutoRemove: true });
  const waiting = daemon.post(`/containers/${id}/wait`);
  const { Pid: pid } = await state(id);
  const key = (await daemon.get('/info')).json.ID;
  process.kill(daemon.shimPid()!, 'SIGKILL');
  expect((await waiting).json).toEqual({ StatusCode: 137 });
  expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 137 });
  expect(await untilGone(pid)).toBe(true);
  expect(hostCgroups().find(`/skiff/${key}/${id}`)).toBeNull();
  await expect.poll(async () => (await daemon.get(`/containers/${temporary}/json`)).status).toBe(404);
  const next = await run(['sh', '-c', 'exit 3']);
  expect((await daemon.post(`/containers/${next}/wait`)).json).toEqual({ StatusCode: 3 });
  expect((await daemon.post(`/containers/${id}/start`)).status).toBe(204);
});

test('when daemon and shim die together, the next daemon cleans up behind both', async () => {
  const id = await run(['sh', '-c', 'sleep 1000 & sleep 1000']);
  const { Pid: pid } = await state(id);
  const key = (await daemon.get('/info')).json.ID;
  const shim = daemon.shimPid()!;
  await daemon.crash();
  process.kill(shim, 'SIGKILL');
  await daemon.launch();
  expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 137 });
  expect(await untilGone(pid)).toBe(true);
  expect(hostCgroups().find(`/skiff/${key}`)).toBeNull();
});

test('a start whose record was not written is found running', async () => {
  const id = await run(['sleep', '1000']);
  const { Pid: pid } = await state(id);
  await daemon.crash();
  editRecord(id, { status: 'created', pid: 0, startTime: '', startedAt: '0001-01-01T00:00:00Z' });
  await daemon.launch();
  expect(await state(id)).toMatchObject({ Status: 'running', Pid: pid });
});

test('a start and an end of which no record was written are both found', async () => {
  const shared = path.join(daemon.root, 'shared');
  fs.mkdirSync(shared);
  const wait = 'while [ ! -e /shared/end ]; do sleep 0.02; done; exit 4';
  const id = await run(['sh', '-c', wait], { Binds: [`${shared}:/shared`] });
  const { Pid: pid } = await state(id);
  await daemon.crash();
  fs.writeFileSync(path.join(shared, 'end'), '');
  expect(await untilGone(pid)).toBe(true);
  editRecord(id, { status: 'created', pid: 0, startTime: '', startedAt: '0001-01-01T00:00:00Z' });
  await daemon.launch();
  expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 4 });
});

test('a container whose creation or removal was interrupted is swept, one that runs without a record is ended', async () => {
  const id = await run(['sleep', '1000']);
  const { Pid: pid } = await state(id);
  const removing = (await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['true'] })).json.Id;
  await daemon.crash();
  const halfMade = path.join(daemon.root, 'containers', 'a'.repeat(64));
  fs.mkdirSync(path.join(halfMade, 'work/work'), { recursive: true });
  fs.writeFileSync(path.join(halfMade, 'container.json.new'), '{"id":');
  fs.rmSync(recordFile(id));
  editRecord(removing, { status: 'removing' });
  await daemon.launch();
  expect((await daemon.get('/containers/json?all=1')).json).toEqual([]);
  expect(await untilGone(pid)).toBe(true);
  expect(fs.readdirSync(path.join(daemon.root, 'containers'))).toEqual([]);
});

test('a damaged record is reported and left for a person, and the others are served', async () => {
  const id = (await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['true'] })).json.Id;
  const damaged = (await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['true'] })).json.Id;
  await daemon.crash();
  fs.writeFileSync(recordFile(damaged), '{"version":1,');
  await daemon.launch();
  expect((await daemon.get('/containers/json?all=1')).json.map((each: { Id: string }) => each.Id)).toEqual([id]);
  expect(daemon.errors).toContain(`${recordFile(damaged)} is damaged`);
  expect(fs.existsSync(recordFile(damaged))).toBe(true);
  fs.rmSync(path.dirname(recordFile(damaged)), { recursive: true });
});

test('a daemon killed at any moment of creating, starting and removing leaves nothing inconsistent', async () => {
  for (let round = 0; round < 6; round++) {
    const busy = Array.from({ length: 4 }, async () => {
      for (;;) {
        const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['true'] });
        await daemon.post(`/containers/${json.Id}/start`);
        await daemon.request('DELETE', `/containers/${json.Id}?force=1`);
      }
    });
    for (const each of busy) each.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 150 + round * 37));
    await daemon.crash();
    await Promise.allSettled(busy);
    await daemon.launch();
    const { json } = await daemon.get('/containers/json?all=1');
    for (const { Id } of json) {
      const { Status: status, Pid: pid } = await state(Id);
      if (status === 'running')
        expect(fs.existsSync(`/proc/${pid}`) || (await state(Id)).Status === 'exited').toBe(true);
      expect((await daemon.request('DELETE', `/containers/${Id}?force=1`)).status).toBe(204);
    }
    await expect.poll(() => fs.readdirSync(path.join(daemon.root, 'containers'))).toEqual([]);
  }
});

test('two daemons never have one root', async () => {
  const first = daemon.process;
  await expect(daemon.launch('--socket', path.join(daemon.root, 'other.sock'))).rejects.toThrow(
    /Another daemon \(process \d+\)/,
  );
  daemon.process = first;
  expect((await daemon.get('/version')).status).toBe(200);
});
