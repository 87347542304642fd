import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { TestDaemon, untilGone } from './testing/test-daemon.ts';

test('an idle daemon ends, takes its shim along, and leaves no socket; one with a container does not', async () => {
  const daemon = await TestDaemon.start();
  daemon.process!.kill('SIGTERM');
  await once(daemon.process!, 'exit');
  await daemon.launch('--idle-exit', '1');
  const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['sleep', '2'] });
  await daemon.post(`/containers/${json.Id}/start`);
  const shim = daemon.shimPid()!;
  const started = Date.now();
  const [code] = await once(daemon.process!, 'exit');
  expect(code).toBe(0);
  expect(Date.now() - started).toBeGreaterThan(2500);
  expect(await untilGone(shim)).toBe(true);
  expect(fs.readdirSync(path.join(daemon.root, 'run')).filter((name) => name.endsWith('.sock'))).toEqual([]);
  await daemon.launch();
  expect((await daemon.get(`/containers/${json.Id}/json`)).json.State.Status).toBe('exited');
  expect(await daemon.destroy()).toEqual([]);
});

test('to ask whether a daemon listens does not keep it from ending when it is idle', async () => {
  const daemon = await TestDaemon.start();
  daemon.process!.kill('SIGTERM');
  await once(daemon.process!, 'exit');
  await daemon.launch('--idle-exit', '2');
  const ended = once(daemon.process!, 'exit');
  let knocks = 0;
  const knocking = setInterval(() => {
    const connection = net.connect(daemon.socket, () => connection.destroy());
    connection.on('connect', () => knocks++).on('error', () => {});
  }, 100);
  try {
    expect(await ended).toEqual([0, null]);
  } finally {
    clearInterval(knocking);
  }
  expect(knocks).toBeGreaterThan(0);
  expect(await daemon.destroy()).toEqual([]);
});

test('a root whose sockets have long paths holds an engine like any other', async () => {
  const daemon = await TestDaemon.start('d'.repeat(120));
  const { json } = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['sh', '-c', 'exit 3'] });
  await daemon.post(`/containers/${json.Id}/start`);
  expect((await daemon.post(`/containers/${json.Id}/wait`)).json).toEqual({ StatusCode: 3 });
  expect(await daemon.destroy()).toEqual([]);
});

test('wrong arguments are told with what there is', async () => {
  const daemon = await TestDaemon.start();
  const running = daemon.process;
  for (const [options, message] of [
    [['--nonsense'], /usage: skiff daemon/],
    [['--idle-exit', 'soon'], /--idle-exit must be a number of seconds/],
    [['serve'], /There is no argument "serve"/],
  ] as [string[], RegExp][])
    await expect(daemon.launch(...options)).rejects.toThrow(message);
  daemon.process = running;
  expect(await daemon.destroy()).toEqual([]);
});
