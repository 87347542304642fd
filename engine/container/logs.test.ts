import fs from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
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
  const options = { stdout: true, stderr: true, timestamps: false, follow: false, ...request };
  for await (const batch of readLogs(container, options, new AbortController().signal))
    all.push(...batch.map(({ text }) => text));
  return all;
}

test('the lines of both streams come in the order they were written, or those of one', async () => {
  write(line('a\n'), line('b\n', 0, 'stderr'), line('c\n'));
  expect(await read()).toEqual(['a\n', 'b\n', 'c\n']);
  expect(await read({ stderr: false })).toEqual(['a\n', 'c\n']);
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
    const handle = await open(file);
    const start = await lastLinesStart(handle, count);
    await handle.close();
    expect(fs.readFileSync(file, 'utf8').slice(start)).toBe(count === 0 ? '' : all.slice(-count).join(''));
  }
});
