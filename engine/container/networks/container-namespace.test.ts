import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTimeOf } from '#kernel/process-stat';
import { openNamespace } from './container-namespace.ts';

describe.skipIf(process.getuid?.() !== 0)('the network namespace of a container', () => {
  const child = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  beforeAll(async () => {
    await once(child.stdout, 'data');
  });
  afterAll(async () => {
    child.stdin.end();
    await once(child, 'exit');
  });
  const of = (pid: number, startTime = startTimeOf(pid)) => ({ pid, startTime, name: 'box' });

  test('is that of its process', () => {
    const descriptor = openNamespace(of(child.pid!));
    expect(fs.fstatSync(descriptor).ino).toBe(fs.statSync(`/proc/${child.pid}/ns/net`).ino);
    fs.closeSync(descriptor);
  });

  test('is not that of another process that has its number by now', () => {
    expect(() => openNamespace(of(child.pid!, '1'))).toThrow('has ended');
  });

  test('is not that of the engine, unless it has the network of the host', () => {
    expect(() => openNamespace(of(process.pid))).toThrow('in the network of the engine');
    fs.closeSync(openNamespace(of(process.pid), { isHost: true }));
  });
});
