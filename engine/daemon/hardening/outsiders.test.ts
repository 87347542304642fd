/** Processes, sockets, descriptors and files that are not the container's own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from '../testing/test-daemon.ts';
import { attack, withNode } from './testing/attacker.ts';

const missing = process.getuid?.() === 0 ? dockerIsMissing() : 'needs root';

describe.skipIf(missing)(`outsiders${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  let victim: ChildProcess;
  const servers: Server[] = [];
  const abstract = `\0skiff-hardening-${process.pid}`;
  let port: number;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    victim = spawn('sleep', ['1000'], { stdio: 'ignore' });
    for (const where of [abstract, 0]) {
      const server = createServer((socket) => socket.destroy());
      servers.push(typeof where === 'string' ? server.listen(where) : server.listen(where, '127.0.0.1'));
      await once(server, 'listening');
    }
    port = (servers[1]!.address() as AddressInfo).port;
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    victim?.kill('SIGKILL');
    expect(await daemon?.destroy()).toEqual([]);
  });

  const run = (...args: string[]) => daemon.docker('run', '--rm', ...args);

  test('no process of the host has a name in the container, and kill -1 ends none', async () => {
    const { stdout } = await run('hostbox', 'sh', '-c', 'sleep 1000 & kill -9 -1; wait; ls /proc | grep -c "^[0-9]"');
    // The shell, ls and grep: the container's own sleep has ended, which is what kill -1 is to do.
    expect(Number(stdout)).toBeLessThanOrEqual(4);
    expect(victim.exitCode ?? victim.signalCode).toBeNull();
    expect(existsSync(`/proc/${victim.pid}`)).toBe(true);
    expect((await daemon.exchange('GET', '/_ping')).status).toBe(200);
  });

  test('with the host’s processes in sight, none is traced, read, or used as a way to the host’s files', async () => {
    const holder = (await daemon.docker('run', '-d', 'hostbox', 'sleep', '1000')).stdout.trim();
    const shim = daemon.shimPid();
    expect(shim).not.toBeNull();
    const script = `
      const victim = ${victim.pid};
      const piece = Buffer.alloc(16);
      piece.writeBigUInt64LE(BigInt(koffi.address(Buffer.alloc(64))), 0);
      piece.writeBigUInt64LE(8n, 8);
      answers.vm_read = call(nr(310, 270), victim, piece, 1, piece, 1, 0);
      answers.root = tried(() => fs.readdirSync('/proc/' + victim + '/root'));
      answers.shim = tried(() => fs.readdirSync('/proc/${shim}/root'));
      answers.fds = tried(() => fs.readlinkSync('/proc/' + victim + '/fd/0'));
      answers.memory = opened('/proc/' + victim + '/mem', 'r');
      answers.namespace = opened('/proc/' + victim + '/ns/mnt', 'r');
      // PTRACE_SEIZE stops nobody, and ends with the tracer.
      answers.trace = call(nr(101, 117), 0x4206, victim, 0, 0);
    `;
    const guarded = await attack(daemon, script, '--pid', 'host');
    for (const [name, answer] of Object.entries(guarded)) expect(`${name} ${answer}`).toMatch(/ (EPERM|EACCES)$/);
    const privileged = await attack(daemon, script, '--pid', 'host', '--privileged');
    // Allowed, and then there is nothing at that address.
    expect(privileged).toMatchObject({
      vm_read: 'EFAULT',
      root: 'ok',
      shim: 'ok',
      fds: 'ok',
      memory: 'ok',
      namespace: 'ok',
      trace: 'ok',
    });
    await daemon.docker('rm', '-f', holder);
  });

  test('neither abstract sockets of the host nor its loopback are reached', async () => {
    const script = `
      const net = require('node:net');
      const reach = (where) => new Promise((resolve) => {
        const socket = net.connect(where, () => { socket.destroy(); resolve('ok'); });
        socket.on('error', ({ code }) => resolve(code));
      });
      (async () => {
        answers.abstract = await reach({ path: ${JSON.stringify(abstract)} });
        answers.loopback = await reach({ port: ${port}, host: '127.0.0.1' });
        console.log(JSON.stringify(answers));
        process.exit(0);
      })();
      console.log = ((log) => (text) => text === '{}' || log(text))(console.log);
    `;
    expect(await attack(daemon, script)).toEqual({ abstract: 'ECONNREFUSED', loopback: 'ECONNREFUSED' });
    expect(await attack(daemon, script, '--network', 'host')).toEqual({ abstract: 'ok', loopback: 'ok' });
  });

  test('the first process and one that joins have three descriptors, and none of the engine’s', async () => {
    // What is listed is a program that has inherited all that its shell was given. Before it has become that program it
    // is a copy of the shell, which is only just opening /dev/null as its standard input.
    const become = 'sleep 1000 & until read name </proc/$!/comm && [ "$name" = sleep ]; do :; done;';
    const list = `${become} cd /proc/$!/fd && echo *; kill $!`;
    expect((await run('hostbox', 'sh', '-c', list)).stdout).toBe('0 1 2\n');
    const id = (await daemon.docker('run', '-d', 'hostbox', 'sleep', '1000')).stdout.trim();
    expect((await daemon.docker('exec', id, 'sh', '-c', 'cd /proc/1/fd && echo *')).stdout).toBe('0 1 2\n');
    expect((await daemon.docker('exec', id, 'sh', '-c', list)).stdout).toBe('0 1 2\n');
    const control = `exec 7</etc/hostname; ${list}`;
    expect((await daemon.docker('exec', id, 'sh', '-c', control)).stdout).toBe('0 1 2 7\n');
    await daemon.docker('rm', '-f', id);
  });

  test('a program that is set-user-ID gains nothing under no-new-privileges', async () => {
    const uid = async (...options: string[]) => {
      const make = 'cp /attack/node /suid && chmod 4755 /suid && touch /made && exec sleep 1000';
      const id = (await daemon.docker('run', '-d', ...withNode, ...options, 'hostbox', 'sh', '-c', make)).stdout.trim();
      const use = 'until [ -e /made ]; do sleep 0.05; done; exec /suid -p "process.geteuid()"';
      const { stdout, stderr } = await daemon.docker('exec', '-u', '1000', id, 'sh', '-c', use);
      await daemon.docker('rm', '-f', id);
      return stdout + stderr;
    };
    expect(await uid()).toBe('0\n');
    expect(await uid('--security-opt', 'no-new-privileges')).toBe('1000\n');
  });

  test('a fork bomb and a memory bomb stay within their limits, and the engine answers', async () => {
    const bomb = 'f() { f | f & }; f; sleep 1; f 2>&1 | head -c 1';
    const forks = await run('--pids-limit', '40', '--memory', '64m', 'hostbox', 'sh', '-c', bomb);
    expect(forks.stderr + forks.stdout).toMatch(/fork|Resource temporarily/);
    const memory = await run('--memory', '16m', 'hostbox', 'tail', '/dev/zero');
    expect(memory.code).toBe(137);
    expect((await daemon.exchange('GET', '/_ping')).status).toBe(200);
  });
});
