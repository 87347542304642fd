import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLog } from '../runtime/shim/log.ts';
import { Container } from './container.ts';
import { lastLinesStart } from './last-lines.ts';
import { type LogRequest, readLogs } from './logs.ts';
import type { ContainerRecord } from './record.ts';
import { containerPaths, openRoot } from './root.ts';

let base: string;
let container: Container;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-logs-'));
  const root = openRoot(base);
  const record = { id: 'a', status: 'exited', hostConfig: { LogConfig: { Type: '' } } } as ContainerRecord;
  container = new Container(record, containerPaths(root, 'a'));
  fs.mkdirSync(container.paths.dir);
});
afterEach(() => fs.rmSync(base, { recursive: true }));

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.5Z`;
const line = (text: string, second = 0, stream = 'stdout') =>
  `${JSON.stringify({ log: text, stream, time: at(second) })}\n`;
const write = (...lines: string[]) => fs.appendFileSync(container.paths.log, lines.join(''));

async function read(request: Partial<LogRequest> = {}): Promise<string[]> {
  const all: string[] = [];
  const options = { stdout: true, stderr: true, timestamps: false, details: false, follow: false, ...request };
  for await (const batch of readLogs(container, options, new AbortController().signal))
    all.push(...batch.map(({ text }) => text));
  return all;
}

test('the lines of both streams come in the order they were written, or those of one', async () => {
  write(line('a\n'), line('b\n', 0, 'stderr'), line('c\n'));
  expect(await read()).toEqual(['a\n', 'b\n', 'c\n']);
  expect(await read({ stderr: false })).toEqual(['a\n', 'c\n']);
});

test('details are the labels and variables that were asked for, by name or by expression', async () => {
  write(line('a\n'), line('b\n'));
  const { record } = container;
  record.config = {
    Labels: { role: 'web server', team: 'x,y', other: '1' },
    Env: ['A=b=c', 'HOME=/', 'LONG'],
  } as never;
  const details = async (options: Record<string, string>) => {
    record.hostConfig.LogConfig.Config = options;
    return await read({ details: true, tail: 1 });
  };
  expect(await details({})).toEqual([' b\n']);
  expect(await details({ labels: 'role,team,nosuch' })).toEqual(['role=web+server,team=x%2Cy b\n']);
  expect(await details({ env: 'A,LONG', labels: 'other' })).toEqual(['A=b%3Dc,LONG=,other=1 b\n']);
  expect(await details({ 'env-regex': '^H', 'labels-regex': 'e' })).toEqual([
    'HOME=%2F,other=1,role=web+server,team=x%2Cy b\n',
  ]);
  expect(await read({ details: true, timestamps: true, tail: 1 })).toEqual([
    expect.stringMatching(/^2026-01-01T00:00:00.500000000Z HOME/),
  ]);
});

test('a container that wrote nothing has an empty log', async () => {
  expect(await read()).toEqual([]);
  expect(await read({ tail: 5 })).toEqual([]);
});

test('lines longer than a piece of the file come whole, in any alphabet', async () => {
  const long = `${'ключ🗝'.repeat(100_000)}\n`;
  write(line('a\n'), line(long), line('b\n'));
  expect(await read()).toEqual(['a\n', long, 'b\n']);
  expect(await read({ tail: 2 })).toEqual([long, 'b\n']);
});

test('a torn line is passed over, and a last line without its end is not there yet', async () => {
  write(line('a\n'), '{"log":"to\n', line('b\n'), '{"log":"c');
  expect(await read()).toEqual(['a\n', 'b\n']);
});

test('since and until bound the times, both included', async () => {
  write(...[1, 2, 3, 4].map((second) => line(`${second}\n`, second)));
  const nanoseconds = (second: number) => BigInt(Date.parse(at(second))) * 1_000_000n;
  expect(await read({ since: nanoseconds(2) })).toEqual(['2\n', '3\n', '4\n']);
  expect(await read({ since: nanoseconds(2), until: nanoseconds(3) })).toEqual(['2\n', '3\n']);
});

test('timestamps have nine decimals', async () => {
  write(line('a\n', 7));
  expect(await read({ timestamps: true })).toEqual(['2026-01-01T00:00:07.500000000Z a\n']);
});

test('following goes on until the container has ended, and misses nothing that was written before', async () => {
  container.record.status = 'running';
  write(line('before\n'));
  const reading = read({ follow: true });
  for (let i = 0; i < 20; i++) {
    write(line(`${i}\n`));
    await new Promise((resolve) => setImmediate(resolve));
  }
  write(line('last\n'));
  container.record.status = 'exited';
  container.changes.emit('exit');
  expect(await reading).toEqual(['before\n', ...Array.from({ length: 20 }, (_, i) => `${i}\n`), 'last\n']);
});

test.each([0, 1, 2, 3, 4, 100])('the last %i lines are found, however long they are', async (count) => {
  const lines = ['a\n', `${'b'.repeat(200_000)}\n`, 'c\n', 'd\n'];
  const file = path.join(base, 'file');
  for (const unfinished of ['', 'e']) {
    fs.writeFileSync(file, lines.join('') + unfinished);
    const all = unfinished === '' ? lines : [...lines, unfinished];
    const fd = fs.openSync(file, 'r');
    const { start, lines: found } = await lastLinesStart(fd, count);
    fs.closeSync(fd);
    expect(fs.readFileSync(file, 'utf8').slice(start)).toBe(count === 0 ? '' : all.slice(-count).join(''));
    expect(found).toBe(Math.min(count, all.length));
  }
});

test('a log of several files is read as one, from the oldest on, and its last lines are found across them', async () => {
  fs.writeFileSync(`${container.paths.log}.2`, line('a\n') + line('b\n'));
  fs.writeFileSync(`${container.paths.log}.1`, line('c\n'));
  write(line('d\n'), line('e\n'));
  expect(await read()).toEqual(['a\n', 'b\n', 'c\n', 'd\n', 'e\n']);
  for (const tail of [1, 2, 3, 4, 5, 9])
    expect(await read({ tail })).toEqual(['a', 'b', 'c', 'd', 'e'].slice(-tail).map((each) => `${each}\n`));
});

test('following goes on across rotations, and loses nothing that has not been removed', async () => {
  container.record.status = 'running';
  const log = openLog(container.paths.log, { size: 1000, files: 100 });
  log.write('stdout', Buffer.from('0\n'));
  const reading = read({ follow: true });
  for (let i = 1; i < 500; i++) {
    log.write('stdout', Buffer.from(`${i}\n`));
    if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  log.write('stdout', Buffer.from('no end'));
  log.close();
  container.record.status = 'exited';
  container.changes.emit('exit');
  expect(await reading).toEqual([...Array.from({ length: 500 }, (_, i) => `${i}\n`), 'no end']);
  expect(fs.readdirSync(container.paths.dir).length).toBeGreaterThan(20);
});

test('a log keeps to its bound, and what is left of it is its end', async () => {
  const log = openLog(container.paths.log, { size: 1000, files: 3 });
  for (let i = 0; i < 500; i++) log.write('stdout', Buffer.from(`${i}\n${i}+\n`));
  log.close();
  const files = fs.readdirSync(container.paths.dir).sort();
  expect(files).toEqual(['log.json', 'log.json.1', 'log.json.2']);
  for (const file of files) expect(fs.statSync(path.join(container.paths.dir, file)).size).toBeLessThanOrEqual(1000);
  const all = Array.from({ length: 500 }, (_, i) => [`${i}\n`, `${i}+\n`]).flat();
  const kept = await read();
  expect(kept.length).toBeGreaterThan(20);
  expect(kept).toEqual(all.slice(-kept.length));
});

test('whatever bytes are written, in whatever pieces, come back as they were', async () => {
  const bytes = Buffer.concat([
    Buffer.from('plain\n"quoted" \\ \t\0\x1b[1m\x7f\u2028é🗝\n'),
    Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256)),
    Buffer.from('é'.repeat(20_000)),
    Buffer.from([10, 10, 0xff, 10, 0xe2, 0x82]),
  ]);
  for (const size of [1, 2, 3, 7, 4096, 16_384, 16_385, bytes.length]) {
    fs.rmSync(container.paths.log, { force: true });
    const log = openLog(container.paths.log);
    for (let at = 0; at < bytes.length; at += size) log.write('stdout', bytes.subarray(at, at + size));
    log.close();
    const pieces: Buffer[] = [];
    const request = { stdout: true, stderr: true, timestamps: false, details: false, follow: false };
    for await (const batch of readLogs(container, request, new AbortController().signal))
      pieces.push(...batch.map(({ text, bytes: exact = Buffer.from(text) }) => exact));
    expect(Buffer.concat(pieces).equals(bytes), `in pieces of ${size}`).toBe(true);
  }
});

test('each line is an entry of its own, in the form of Docker’s driver, however short and many they are', () => {
  const lines = ['y', '', '"quoted" \\', 'tab\tand \u0001\u001b\u007f', 'é🗝', 'x'.repeat(900), 'y', 'y'].map(
    (line) => `${line}\n`,
  );
  const bytes = Buffer.from(lines.join('').repeat(300));
  for (const size of [1, 2, 5, 1023, 1024, 1025, 4096, bytes.length]) {
    fs.rmSync(container.paths.log, { force: true });
    const log = openLog(container.paths.log);
    for (let at = 0; at < bytes.length; at += size) log.write('stderr', bytes.subarray(at, at + size));
    log.close();
    const written = fs.readFileSync(container.paths.log, 'utf8').split('\n').slice(0, -1);
    expect(written.length).toBe(lines.length * 300);
    for (const [index, entry] of written.entries()) {
      const { time } = JSON.parse(entry);
      const log = lines[index % lines.length]!;
      if (entry === JSON.stringify({ log, stream: 'stderr', time })) continue;
      expect(entry, `line ${index} in pieces of ${size}`).toBe(JSON.stringify({ log, stream: 'stderr', time }));
    }
  }
});
