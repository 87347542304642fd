/** A subject watched from the kernel's side, whatever it does to its own functions. */

import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LiveSubject } from './live-subject.ts';
import { writeModule } from './make-module.ts';
import { traceSyscalls } from './trace-syscalls.ts';

const needsRoot = process.geteuid?.() !== 0;
let subject: LiveSubject;

const SOURCE = `
const fs = require('node:fs');
const fsync = require('node:util').promisify(fs.fsync);
module.exports = {
  async publish(directory) {
    const fd = fs.openSync(directory + '/draft', 'w');
    fs.writeSync(fd, 'bytes');
    await fsync(fd);
    fs.closeSync(fd);
    process.chdir(directory);
    fs.renameSync('draft', directory + '/final');
    await fs.promises.link('final', 'second');
    const handle = await fs.promises.open(directory);
    await handle.sync();
    await handle.close();
    return process.pid;
  },
  fail(directory) {
    try { fs.renameSync(directory + '/nowhere', directory + '/here'); } catch {}
    require('node:child_process').execFileSync('sh', ['-c', 'rmdir ' + directory + '/made; mkdir ' + directory + '/made; rmdir ' + directory + '/made']);
  },
};`;
const module = writeModule({ plank: SOURCE, driver: '', shared: '' });

beforeAll(async () => {
  if (needsRoot) return;
  subject = await LiveSubject.open(module, { uid: 'root', patience: 20_000 });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
  fs.rmSync(module, { recursive: true });
});

describe.skipIf(needsRoot)('the system calls of a subject', () => {
  test('are seen in their order, with their paths, on whatever thread they are made', async () => {
    const { value, calls } = await traceSyscalls(subject, () => subject.call('publish', subject.scratch));
    expect(value).toBe(1);
    const at = (name: string) => path.posix.join(subject.scratch, name);
    const seen = calls
      .filter(({ path, to }) => `${path}${to ?? ''}`.startsWith(subject.scratch))
      .map(({ call, path, to, result }) => [call, path, ...(to === undefined ? [] : [to]), result >= 0]);
    expect(seen).toEqual([
      ['open', at('draft'), true],
      ['write', at('draft'), true],
      ['fsync', at('draft'), true],
      ['rename', at('draft'), at('final'), true],
      ['link', at('final'), at('second'), true],
      ['open', subject.scratch, true],
      ['fsync', subject.scratch, true],
    ]);
  });

  test('tell what the kernel refused, and those of a child', async () => {
    const { calls } = await traceSyscalls(subject, () => subject.call('fail', subject.scratch));
    expect(calls.find(({ call }) => call === 'rename')).toMatchObject({ to: `${subject.scratch}/here`, result: -2 });
    const made = calls.filter(({ path }) => path === `${subject.scratch}/made`);
    expect(made.map(({ call, result }) => [call, result])).toEqual([
      ['rmdir', -2],
      ['mkdir', 0],
      ['rmdir', 0],
    ]);
  });

  test('the subject goes on when nobody looks any more', async () => {
    expect(await subject.call('publish', subject.scratch).catch((error: Error) => error.message)).toMatch(/EEXIST/);
  });
});
