import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ArchiveEntry } from '../archive.ts';
import { scratchDirectory } from '../test-support.ts';
import { dated } from './run-times.ts';

const STEP = new Date('2020-01-01T00:00:00Z');
const RAN = { from: 1_700_000_000_000, to: 1_700_000_060_000 };
const during = new Date(1_700_000_030_400);

const file = (path: string, mtime: Date): ArchiveEntry => ({ type: 'file', path, mode: 0o644, mtime, content: '' });

function compiled(path: string, flags: number, time: number): ArchiveEntry {
  const source = join(scratchDirectory(), 'pyc');
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32LE(flags, 4);
  bytes.writeUInt32LE(time, 8);
  writeFileSync(source, bytes);
  return { type: 'file', path, mode: 0o644, mtime: during, source, size: bytes.length };
}

const times = (entries: ArchiveEntry[], sourceDate?: number) =>
  Object.fromEntries(dated(entries, RAN, STEP, sourceDate).map(({ path, mtime }) => [path, mtime.getTime()]));

test('what was written while the command ran is of its step, and a time that was set stays', () => {
  const entries = [file('new', during), file('old', new Date(86_400_000)), file('later', new Date(1_800_000_000_000))];
  expect(times(entries)).toEqual({ new: STEP.getTime(), old: 86_400_000, later: 1_800_000_000_000 });
  expect(times(entries, 1_000_000_000_000)).toEqual({
    new: STEP.getTime(),
    old: 86_400_000,
    later: 1_000_000_000_000,
  });
});

test('a Python source keeps the time that its .pyc has, so that the cache is valid', () => {
  const recorded = Math.floor(during.getTime() / 1000);
  const entries = [
    file('p/a.py', during),
    compiled('p/__pycache__/a.cpython-311.pyc', 0, recorded),
    file('p/b.py', during),
    compiled('p/__pycache__/b.cpython-311.opt-1.pyc', 3, recorded),
    file('p/c.py', during),
    compiled('p/__pycache__/c.cpython-311.pyc', 0, recorded - 1),
    file('d.py', during),
    compiled('__pycache__/d.cpython-311.pyc', 0, recorded),
  ];
  const found = times(entries);
  expect([found['p/a.py'], found['d.py']]).toEqual([during.getTime(), during.getTime()]);
  expect([found['p/b.py'], found['p/c.py']]).toEqual([STEP.getTime(), STEP.getTime()]);
  expect(times(entries, RAN.from)['p/a.py']).toBe(STEP.getTime());
});
