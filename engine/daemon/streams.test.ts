import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestDaemon } from './testing/test-daemon.ts';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(async () => {
  expect(await daemon?.destroy()).toEqual([]);
});

interface Raw {
  socket: net.Socket;
  /** Everything that came, headers included. */
  received(): string;
  /** Resolves when the daemon has ended its side. */
  ended: Promise<unknown>;
}

/** Speak HTTP by hand, as clients do that take the connection over. */
async function open(text: string): Promise<Raw> {
  const socket = net.connect({ path: daemon.socket, allowHalfOpen: true });
  await once(socket, 'connect');
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (data: string) => {
    received += data;
  });
  socket.on('error', () => {});
  const ended = once(socket, 'end');
  socket.write(text);
  return { socket, received: () => received, ended };
}

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

async function create(body: object): Promise<string> {
  const { json, status, text } = await daemon.post('/containers/create', { Image: 'hostbox', ...body });
  expect(status, text).toBe(201);
  return json.Id;
}

async function remove(id: string): Promise<void> {
  await daemon.request('DELETE', `/containers/${id}?force=1`);
}

/** What the frames of a stream hold. */
function unframe(stream: string): string {
  const bytes = Buffer.from(stream, 'latin1');
  let text = '';
  for (let at = 0; at + 8 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 4))
    text += bytes.toString('latin1', at + 8, at + 8 + bytes.readUInt32BE(at + 4));
  return text;
}

const CAT = { Cmd: ['sh', '-c', 'cat; echo over >&2'], OpenStdin: true, StdinOnce: true };
const STREAMS = 'stream=1&stdin=1&stdout=1&stderr=1';

test('an upgraded attachment carries input, its end, and both outputs in frames', async () => {
  const id = await create(CAT);
  const raw = await open(`POST /v1.50/containers/${id}/attach?${STREAMS} HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`);
  await expect.poll(raw.received).toContain('\r\n\r\n');
  expect(raw.received()).toMatch(
    /^HTTP\/1\.1 101 UPGRADED\r\n(.*\r\n)*Content-Type: application\/vnd\.docker\.multiplexed-stream\r\n/,
  );
  await daemon.post(`/containers/${id}/start`);
  raw.socket.write('typed');
  raw.socket.end();
  await raw.ended;
  expect(raw.received()).toContain('\u0001\0\0\0\0\0\0\u0005typed');
  expect(raw.received()).toContain('\u0002\0\0\0\0\0\0\u0005over\n');
  await remove(id);
});

test('an attachment without an upgrade is a raw stream behind a plain 200, with input all the same', async () => {
  const id = await create(CAT);
  const raw = await open(`POST /v1.41/containers/${id}/attach?${STREAMS} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await expect.poll(raw.received).toContain('\r\n\r\n');
  expect(raw.received()).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n\r\n/);
  await daemon.post(`/containers/${id}/start`);
  raw.socket.write('GET / this is not a request\r\n');
  raw.socket.end();
  await raw.ended;
  expect(raw.received()).toContain('GET / this is not a request\r\n');
  expect(raw.received()).toContain('over\n');
  await remove(id);
});

test('an exec reads its configuration before its stream, even when both come at once', async () => {
  const id = await create({ Cmd: ['sleep', '60'] });
  await daemon.post(`/containers/${id}/start`);
  const { json } = await daemon.post(`/containers/${id}/exec`, { Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
  const body = '{"Detach":false,"Tty":false}';
  const raw = await open(
    `POST /exec/${json.Id}/start HTTP/1.1\r\nHost: x\r\n${UPGRADE}Content-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}early`,
  );
  raw.socket.end(' late');
  await raw.ended;
  const [, stream = ''] = raw.received().split('\r\n\r\n');
  expect(unframe(stream)).toBe('early late');
  await remove(id);
});

test('the detach keys of the request end an attachment and not the container', async () => {
  const id = await create({ Cmd: ['cat'], Tty: true, OpenStdin: true });
  await daemon.post(`/containers/${id}/start`);
  const raw = await open(
    `POST /containers/${id}/attach?${STREAMS}&detachKeys=ctrl-a,x HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`,
  );
  raw.socket.write('seen\u0001y');
  await expect.poll(raw.received).toContain('seen');
  raw.socket.write('last\n\u0001x');
  await raw.ended;
  expect((await daemon.get(`/containers/${id}/json`)).json.State.Running).toBe(true);
  await expect
    .poll(async () => (await daemon.exchange('GET', `/containers/${id}/logs?stdout=1`)).text)
    .toContain('last');
  raw.socket.destroy();
  await remove(id);
});

test('an attachment with logs begins with what was written before', async () => {
  const id = await create({ Cmd: ['sh', '-c', 'echo before; cat'], OpenStdin: true, StdinOnce: true });
  await daemon.post(`/containers/${id}/start`);
  await expect
    .poll(async () => (await daemon.exchange('GET', `/containers/${id}/logs?stdout=1`)).text)
    .toContain('before');
  const raw = await open(`POST /containers/${id}/attach?${STREAMS}&logs=1 HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`);
  raw.socket.end('after');
  await raw.ended;
  expect(raw.received()).toMatch(/before\n.*after/s);
  await remove(id);
});

test('a client that vanishes takes nothing with it', async () => {
  const id = await create({ Cmd: ['sh', '-c', 'while :; do echo x; sleep 0.01; done'] });
  await daemon.post(`/containers/${id}/start`);
  const requests = [
    `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`,
    `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET /containers/${id}/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n`,
    `POST /containers/${id}/wait HTTP/1.1\r\nHost: x\r\n\r\n`,
    'GET /events HTTP/1.1\r\nHost: x\r\n\r\n',
  ];
  const files = async () => (await daemon.get('/info')).json.NFd;
  const before = await files();
  for (let round = 0; round < 5; round++) {
    for (const request of requests) {
      const raw = await open(request);
      await expect.poll(raw.received).toMatch(/^HTTP\/1\.1 (101|200) /);
      raw.socket.destroy();
    }
  }
  // A leak would be 25 of them.
  await expect.poll(files).toBeLessThanOrEqual(before + 5);
  expect((await daemon.get('/info')).json.NEventsListener).toBe(0);
  expect((await daemon.get(`/containers/${id}/json`)).json.State.Running).toBe(true);
  await remove(id);
});

test('a client that does not read holds up its container, not the daemon, and not for ever', async () => {
  const id = await create({ Cmd: ['sh', '-c', 'tr "\\0" x </dev/zero | head -c 20000000; echo done >&2'] });
  const raw = await open(`POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`);
  raw.socket.pause();
  await daemon.post(`/containers/${id}/start`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await daemon.get('/version')).status).toBe(200);
  expect((await daemon.get(`/containers/${id}/json`)).json.State.Running).toBe(true);
  raw.socket.destroy();
  expect((await daemon.post(`/containers/${id}/wait`)).json).toEqual({ StatusCode: 0 });
  await remove(id);
});

test('what is not HTTP, too long or never finished is answered and ends', async () => {
  const nonsense = await open('nonsense\r\n\r\n');
  await nonsense.ended;
  expect(nonsense.received()).toMatch(/^HTTP\/1\.1 400 .*"message"/s);
  const long = await open(`GET /version HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`);
  await long.ended;
  expect(long.received()).toMatch(/^HTTP\/1\.1 431 .*"message"/s);
  const large = await open('POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n');
  await expect.poll(large.received).toMatch(/^HTTP\/1\.1 413 .*"message"/s);
  large.socket.destroy();
  const torn = await open('POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
  torn.socket.destroy();
  expect((await daemon.get('/version')).status).toBe(200);
});

test('an upgrade of what has no stream gets an ordinary answer', async () => {
  const session = await open(`POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`);
  await session.ended;
  expect(session.received()).toMatch(/^HTTP\/1\.1 501 /);
  const nothing = await open(`POST /containers/nothing/attach HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`);
  await nothing.ended;
  expect(nothing.received()).toMatch(/^HTTP\/1\.1 404 .*No such container: nothing/s);
});

test('following logs tells of every line, however they are torn into writes', async () => {
  const id = await create({
    Cmd: ['sh', '-c', 'for i in $(seq 1 50); do printf "line "; echo $i; done; sleep 0.2; printf end'],
  });
  const request = http.request({ socketPath: daemon.socket, path: `/containers/${id}/logs?stdout=1&follow=1` });
  await daemon.post(`/containers/${id}/start`);
  request.end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response) text += (chunk as Buffer).toString('latin1');
  const lines = unframe(text).split('\n');
  // A last line to which the program gave no end has none.
  expect(lines).toEqual([...Array.from({ length: 50 }, (_, index) => `line ${index + 1}`), 'end']);
  await remove(id);
});

test.each([false, true])('logs are the bytes that were written, with a terminal %j', async (Tty) => {
  const id = await create({ Cmd: ['printf', 'a\\377b'], Tty });
  await daemon.post(`/containers/${id}/start`);
  await daemon.post(`/containers/${id}/wait`);
  for (const query of ['', '&follow=1', '&tail=1']) {
    const raw = await open(`GET /containers/${id}/logs?stdout=1${query} HTTP/1.0\r\nHost: x\r\n\r\n`);
    await raw.ended;
    const [, stream = ''] = raw.received().split('\r\n\r\n');
    expect(Tty ? stream : unframe(stream)).toBe('a\xffb');
  }
  await remove(id);
});

test('the body of a request to attach is not input', async () => {
  const body = '{"stream":true,"stdin":true}';
  for (const upgrade of [UPGRADE, '']) {
    const id = await create(CAT);
    const raw = await open(
      `POST /containers/${id}/attach?${STREAMS} HTTP/1.1\r\nHost: x\r\n${upgrade}Content-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(raw.received).toContain('\r\n\r\n');
    await daemon.post(`/containers/${id}/start`);
    raw.socket.end('typed');
    await raw.ended;
    const [, stream = ''] = raw.received().split('\r\n\r\n');
    expect(unframe(stream).replace('over\n', '')).toBe('typed');
    await remove(id);
  }
});

test('whether the stream of an exec has frames is said when it is started', async () => {
  const id = await create({ Cmd: ['sleep', '60'] });
  await daemon.post(`/containers/${id}/start`);
  for (const created of [false, true])
    for (const started of [false, true]) {
      const Cmd = ['sh', '-c', 'printf out'];
      const { json } = await daemon.post(`/containers/${id}/exec`, { Cmd, AttachStdout: true, Tty: created });
      const body = JSON.stringify({ Detach: false, Tty: started });
      const raw = await open(
        `POST /exec/${json.Id}/start HTTP/1.1\r\nHost: x\r\n${UPGRADE}Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      raw.socket.end();
      await raw.ended;
      const [head = '', stream = ''] = raw.received().split('\r\n\r\n');
      expect(stream).toBe(started ? 'out' : '\u0001\0\0\0\0\0\0\u0003out');
      expect(head).toContain(started ? 'raw-stream' : 'multiplexed-stream');
    }
  await remove(id);
});

test('the detach keys of an exec end its connection on both sides and leave it running', async () => {
  const id = await create({ Cmd: ['sleep', '60'] });
  await daemon.post(`/containers/${id}/start`);
  const exec = { Cmd: ['cat'], AttachStdin: true, AttachStdout: true, Tty: true, DetachKeys: 'a,a,b' };
  const { json } = await daemon.post(`/containers/${id}/exec`, exec);
  const body = '{"Tty":true}';
  const raw = await open(
    `POST /exec/${json.Id}/start HTTP/1.1\r\nHost: x\r\n${UPGRADE}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  raw.socket.write('x\n');
  await expect.poll(raw.received).toContain('x\r\nx');
  raw.socket.write('aaab');
  await raw.ended;
  const refused = once(raw.socket, 'error');
  // Nobody has the other end any more.
  const typing = setInterval(() => raw.socket.write('more'), 10);
  expect(String(await refused)).toContain('EPIPE');
  clearInterval(typing);
  expect((await daemon.get(`/exec/${json.Id}/json`)).json.Running).toBe(true);
  await remove(id);
});

test('a slow reader of a long log is waited for without a listener more for each wait', async () => {
  const id = await create({ Cmd: ['seq', '100000'] });
  await daemon.post(`/containers/${id}/start`);
  await daemon.post(`/containers/${id}/wait`);
  const raw = await open(`GET /containers/${id}/logs?stdout=1 HTTP/1.0\r\nHost: x\r\n\r\n`);
  // A little at a time, so that the daemon waits again and again.
  raw.socket.on('data', () => {
    raw.socket.pause();
    setImmediate(() => raw.socket.resume());
  });
  await raw.ended;
  const [, stream = ''] = raw.received().split('\r\n\r\n');
  expect(unframe(stream).split('\n')).toHaveLength(100_001);
  expect(daemon.errors).not.toContain('MaxListeners');
  await remove(id);
});

test('what the exec of a user or in a directory that does not exist ends with is 126, of a program 127', async () => {
  const id = await create({ Cmd: ['sleep', '60'] });
  await daemon.post(`/containers/${id}/start`);
  for (const [fields, code] of [
    [{ User: 'nosuch' }, 126],
    [{ WorkingDir: '/nosuch' }, 126],
    [{ Cmd: ['nosuch'] }, 127],
  ] as const) {
    const { json } = await daemon.post(`/containers/${id}/exec`, { Cmd: ['true'], AttachStdout: true, ...fields });
    const raw = await open(`POST /exec/${json.Id}/start HTTP/1.1\r\nHost: x\r\n${UPGRADE}Content-Length: 2\r\n\r\n{}`);
    raw.socket.end();
    await raw.ended;
    expect((await daemon.get(`/exec/${json.Id}/json`)).json.ExitCode).toBe(code);
  }
  await remove(id);
});

test('a log driver or option that this engine does not have is refused by its name', async () => {
  const refused = async (LogConfig: object) => {
    const { status, json } = await daemon.post('/containers/create', { Image: 'hostbox', HostConfig: { LogConfig } });
    return `${status} ${json.message}`;
  };
  expect(await refused({ Type: 'syslog', Config: {} })).toMatch(
    /^501 .*log driver "syslog".*json-file, local and none/,
  );
  expect(await refused({ Type: '', Config: { tag: 'x' } })).toMatch(
    /^501 .*json-file.*option "tag".*max-size, max-file, labels, labels-regex, env and env-regex/,
  );
  expect(await refused({ Type: 'local', Config: { labels: 'x' } })).toMatch(
    /^501 .*local.*"labels".*max-size and max-file/,
  );
  expect(await refused({ Type: '', Config: { 'env-regex': '(' } })).toMatch(/^400 .*env-regex=\(/);
  expect(await refused({ Type: 'none', Config: { 'max-size': '1m' } })).toMatch(/^501 .*none.*"max-size".*no options/);
  expect(await refused({ Type: 'local', Config: { compress: 'true' } })).toMatch(/^501 .*compress=true.*false/);
  expect(await refused({ Type: '', Config: { 'max-size': 'ten' } })).toMatch(/^400 .*max-size=ten/);
  expect(await refused({ Type: '', Config: { 'max-file': '0' } })).toMatch(/^400 .*max-file=0/);
});

test('docker logs --details puts the labels and variables that were asked for before each line', async () => {
  const options = ['--log-opt', 'labels=role', '--log-opt', 'env=STAGE', '--label', 'role=web', '-e', 'STAGE=test'];
  await daemon.docker('run', '--name', 'detailed', ...options, 'hostbox', 'echo', 'hello');
  expect((await daemon.docker('logs', '--details', 'detailed')).stdout).toBe('STAGE=test,role=web hello\n');
  expect((await daemon.docker('logs', 'detailed')).stdout).toBe('hello\n');
  await remove('detailed');
});

test('a log is bounded, by default too, and says by what', async () => {
  const id = await create({
    Cmd: ['seq', '1000'],
    HostConfig: { LogConfig: { Type: 'local', Config: { 'max-size': '4k', 'max-file': '2' } } },
  });
  await daemon.post(`/containers/${id}/start`);
  await daemon.post(`/containers/${id}/wait`);
  const { text } = await daemon.exchange('GET', `/containers/${id}/logs?stdout=1`);
  const lines = unframe(Buffer.from(text).toString('latin1')).split('\n').slice(0, -1);
  expect(lines.length).toBeGreaterThan(40);
  expect(lines).toEqual(Array.from({ length: lines.length }, (_, i) => `${1001 - lines.length + i}`));
  await remove(id);
  const other = await create({ Cmd: ['true'] });
  const { json } = await daemon.get(`/containers/${other}/json`);
  expect(json.HostConfig.LogConfig).toEqual({ Type: 'json-file', Config: { 'max-size': '20m', 'max-file': '5' } });
  expect((await daemon.get('/info')).json.DriverStatus).toContainEqual([
    'Default log options',
    'max-size=20m, max-file=5',
  ]);
  await remove(other);
});
