import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { descriptorsOf } from '../testing/proc.ts';
import { specFor } from '../testing/rootfs.ts';
import { startShim, type TestShim } from '../testing/shim.ts';

describe.skipIf(process.getuid?.() !== 0)('the standard streams of a container', () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
  });
  afterAll(() => shim?.close());

  const open = async (args: string[], stdio = {}, options = {}) => {
    const spec = specFor(shim, args, options);
    const key = { container: spec.annotations!.container! };
    await shim.call('open', { key, stdio: { terminal: false, stdin: false, stdinOnce: false, ...stdio } });
    return { spec, key, start: () => shim.call('start', { ...key, spec }) };
  };
  const logOf = (path: string) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { log: string; stream: string; time: string });

  test('stdout and stderr arrive apart, from the first byte on', async () => {
    const { stdout, stderr } = await shim.run(specFor(shim, ['sh', '-c', 'echo out; echo err >&2']));
    expect([stdout, stderr]).toEqual(['out\n', 'err\n']);
  });

  test('/dev/stdout can be opened again, also by a user who is not root', async () => {
    for (const userSpec of ['0', 'alice']) {
      const script = 'echo a > /dev/stdout; echo b > /dev/stderr; echo c >> /proc/self/fd/1';
      const { stdout, stderr } = await shim.run(specFor(shim, ['sh', '-c', script], { process: { userSpec } }));
      expect([stdout, stderr]).toEqual(['a\nc\n', 'b\n']);
    }
  });

  test('ten megabytes of binary standard input come out as they went in', async () => {
    const { key, start } = await open(['cat'], { stdin: true, stdinOnce: true });
    const client = await shim.attach(key, { stdin: true });
    await start();
    const data = randomBytes(10 << 20);
    client.socket.end(data);
    const { stdout } = await client.ended;
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(stdout.length).toBe(data.length);
    expect(hash(stdout)).toBe(hash(data));
    expect((await shim.exit(key)).status.exitCode).toBe(0);
    await shim.call('forget', { key });
  });

  test('an empty standard input ends the program that reads it', async () => {
    const { key, start } = await open(['cat'], { stdin: true, stdinOnce: true });
    const client = await shim.attach(key, { stdin: true });
    client.socket.end();
    await start();
    expect((await shim.exit(key)).status.exitCode).toBe(0);
    await shim.call('forget', { key });
  });

  test('a client that is gone without a word ends stdinOnce, too', async () => {
    const { key, start } = await open(['cat'], { stdin: true, stdinOnce: true });
    const client = await shim.attach(key, { stdin: true });
    await start();
    client.socket.destroy();
    expect((await shim.exit(key)).status.exitCode).toBe(0);
    await shim.call('forget', { key });
  });

  test('without stdinOnce one client after the other can feed it', async () => {
    const { key, start } = await open(['sh', '-c', 'read a; read b; echo $a $b'], { stdin: true });
    await start();
    const listener = await shim.attach(key);
    for (const word of ['first\n', 'second\n']) (await shim.attach(key, { stdin: true })).socket.end(word);
    expect(String((await listener.ended).stdout)).toBe('first second\n');
    await shim.call('forget', { key: (await shim.exit(key)).key });
  });

  test('without stdin it reads /dev/null', async () => {
    const { stdout } = await shim.run(specFor(shim, ['sh', '-c', 'cat; ls -l /proc/self/fd/0']));
    expect(stdout).toMatch(/-> \/dev\/null\n$/);
  });

  test('the log has every line with its stream and time, and pieces of a long line without newline', async () => {
    const logPath = join(shim.directory, 'log.json');
    const script = 'echo one; echo two >&2; head -c 40000 /dev/zero | tr "\\0" x; echo; printf "no newline \\377 é"';
    await shim.run(specFor(shim, ['busybox', 'sh', '-c', script.replace('tr', 'busybox tr')]), { logPath });
    const lines = logOf(logPath);
    const of = (stream: string) => lines.filter((line) => line.stream === stream).map(({ log }) => log);
    expect(of('stderr')).toEqual(['two\n']);
    expect(of('stdout')).toEqual([
      'one\n',
      'x'.repeat(16384),
      'x'.repeat(16384),
      `${'x'.repeat(40000 - 2 * 16384)}\n`,
      'no newline \ufffd é',
    ]);
    for (const { time } of lines) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
    const times = lines.map(({ time }) => Date.parse(time));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('everything is in the log before the exit is told', async () => {
    const logPath = join(shim.directory, 'before-exit.json');
    for (let round = 0; round < 5; round++) {
      const { key, start } = await open(['seq', '20000'], { logPath: `${logPath}.${round}` });
      await start();
      await shim.exit(key);
      expect(logOf(`${logPath}.${round}`)).toHaveLength(20_000);
      await shim.call('forget', { key });
    }
  });

  test('a slow client slows the program down, and still gets everything', async () => {
    const { key, start, spec } = await open(['sh', '-c', 'seq 400000; touch /dev/shm/done; exec sleep 1000']);
    const slow = await shim.attach(key);
    slow.socket.pause();
    const { pid } = await start();
    // Meanwhile the shim serves others, and what waits is a few buffers and not the output.
    for (let round = 0; round < 3; round++) await shim.run(specFor(shim, ['true']));
    expect(existsSync(`/proc/${pid}/root/dev/shm/done`)).toBe(false);
    slow.socket.resume();
    await slow.saw('\n400000\n');
    await shim.call('signal', { key, signal: 9 });
    const { stdout } = await slow.ended;
    expect(stdout.toString().split('\n')).toHaveLength(400_001);
    expect(spec.process.args).toHaveLength(3);
    await shim.call('forget', { key: (await shim.exit(key)).key });
  });

  test('a client that dies while it is waited for does not hold the program up', async () => {
    const { key, start } = await open(['sh', '-c', 'seq 400000; echo last'], {
      logPath: join(shim.directory, 'dead.json'),
    });
    const dead = await shim.attach(key);
    dead.socket.pause();
    await start();
    await shim.run(specFor(shim, ['true']));
    dead.socket.destroy();
    expect((await shim.exit(key)).status.exitCode).toBe(0);
    expect(logOf(join(shim.directory, 'dead.json'))).toHaveLength(400_001);
    await shim.call('forget', { key });
  });

  test('a program that does not read its input does not hold its clients up when it ends', async () => {
    const { key, start } = await open(['sh', '-c', 'sleep 0.2; exit 4'], { stdin: true, stdinOnce: true });
    const client = await shim.attach(key, { stdin: true });
    client.socket.write(randomBytes(1 << 20));
    await start();
    expect((await shim.exit(key)).status.exitCode).toBe(4);
    await client.ended;
    await shim.call('forget', { key });
  });

  test('a descriptor of every ended container is given back', async () => {
    await shim.run(specFor(shim, ['true']));
    const before = Object.keys(descriptorsOf(shim.pid)).length;
    for (let round = 0; round < 10; round++) await shim.run(specFor(shim, ['true']), { stdin: round % 2 === 0 });
    expect(Object.keys(descriptorsOf(shim.pid)).length).toBeLessThanOrEqual(before);
  });
});
