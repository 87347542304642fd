/** The judge's hands inside a tree where a submission has mounted and made what it likes. */

import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as files from './files.ts';
import { inside } from './inside.ts';
import { LiveSubject } from './live-subject.ts';
import { writeModule } from './make-module.ts';

const needsRoot = process.geteuid?.() !== 0;
const module = writeModule({ plank: 'exports.evaluate = (text) => eval(text);', driver: '', shared: '' });
let subject: LiveSubject;

beforeAll(async () => {
  if (!needsRoot) subject = await LiveSubject.open(module, { uid: 'root', patience: 60_000 });
});
afterAll(async () => {
  await subject?.[Symbol.asyncDispose]();
  fs.rmSync(module, { recursive: true });
});

/** Bind what lies at `source` over a new file `target`. */
const bind = (source: string, target: string) =>
  subject.call(
    'evaluate',
    `const fs = require('node:fs');
     const koffi = require('node:module').createRequire('/slot/plank.cjs')('koffi');
     fs.writeFileSync('${target}', '');
     koffi.load(null).func('int mount(str, str, str, ulong, void *)')('${source}', '${target}', null, 0x1000, null)`,
  );

describe.skipIf(needsRoot)('what is mounted in the place of a file', () => {
  test('is not written when it is a file of the kernel, by which root of the machine changes the machine', async () => {
    expect(await bind('/proc/sys/kernel/threads-max', '/tmp/settings')).toBe(0);
    expect(await bind('/proc/sys/kernel/hostname', '/tmp/name')).toBe(0);
    const before = fs.readFileSync('/proc/sys/kernel/threads-max', 'utf8');
    const tree = inside(subject.pid);
    for (const name of ['settings', 'name']) {
      expect(() => tree.read(`/tmp/${name}`), name).toThrow(/another file system is mounted in its place/);
      expect(() => tree.write(`/tmp/${name}`, before), name).toThrow(/another file system is mounted in its place/);
      const outside = subject.outsidePath(`/tmp/${name}`);
      expect(() => files.readFileSync(outside), name).toThrow(/another file system is mounted in its place/);
      const folder = subject.outsidePath('/tmp');
      expect(() => files.writeFileSync(`${folder}/${name}`, before), name).toThrow(/another file system/);
    }
  });

  test('is read and written when it is a file, and the null device is', async () => {
    await subject.call('evaluate', `require('node:fs').writeFileSync('/tmp/plain', 'text')`);
    const tree = inside(subject.pid);
    expect(tree.read('/tmp/plain')).toBe('text');
    expect(tree.read('/tmp/plain', 2)).toBe('te');
    tree.write('/tmp/plain', 'T');
    expect(tree.read('/tmp/plain')).toBe('Text');
    expect([tree.read('/dev/null'), tree.read('/dev/zero', 2)]).toEqual(['', '\0\0']);
    expect(() => tree.write('/usr/new', '')).toThrow(/EROFS/);
  });

  test('is not waited for when it is a FIFO, a socket or a terminal', async () => {
    await subject.call(
      'evaluate',
      `require('node:child_process').execFileSync('mkfifo', ['/tmp/fifo']);
       globalThis.server = require('node:net').createServer().listen('/tmp/socket'); 0`,
    );
    const tree = inside(subject.pid);
    expect(() => tree.read('/tmp/fifo')).toThrow('/tmp/fifo should be a regular file; it is a FIFO.');
    expect(() => tree.write('/tmp/fifo', 'x')).toThrow('/tmp/fifo should be a regular file; it is a FIFO.');
    expect(() => tree.read('/tmp/socket')).toThrow('/tmp/socket should be a regular file; it is a socket.');
    expect(() => tree.read('/dev/ptmx')).toThrow('/dev/ptmx should be a regular file; it is a device.');
  });
});
