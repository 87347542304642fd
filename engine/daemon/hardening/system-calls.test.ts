/** System calls that reach the machine and not the container, made by root of a default container. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIsMissing, TestDaemon } from '../testing/test-daemon.ts';
import { attack } from './testing/attacker.ts';

const missing = process.getuid?.() === 0 ? dockerIsMissing() : 'needs root';

/** Each with arguments that harm nothing where they are let through: what cannot be is asked for. */
const script = `
  const map = Buffer.alloc(128);
  [2, 4, 8, 1].forEach((word, index) => map.writeUInt32LE(word, 4 * index));
  answers.mount = call(nr(165, 40), 'none', '/tmp', 'tmpfs', 0, 0);
  answers.umount = call(nr(166, 39), '/proc/kcore', 2);
  answers.pivot_root = call(nr(155, 41), '/', '/');
  answers.open_tree = call(428, -100, '/', 1);
  answers.fsopen = call(430, 'tmpfs', 0);
  answers.move_mount = call(429, -1, '', -1, '', 0x44);
  answers.setns = call(nr(308, 268), fs.openSync('/proc/1/ns/mnt', 'r'), 0x20000);
  answers.unshare_mount = call(nr(272, 97), 0x20000);
  answers.bpf = call(nr(321, 280), 0, map, 72);
  const event = Buffer.alloc(128);
  event.writeUInt32LE(1, 0);
  event.writeUInt32LE(128, 4);
  answers.perf_event_open = call(nr(298, 241), event, 0, -1, -1, 0);
  answers.io_uring_setup = call(425, 1, Buffer.alloc(120));
  answers.add_key = call(nr(248, 217), 'user', 'skiff-hardening', 'x', 1, -2);
  answers.request_key = call(nr(249, 218), 'user', 'skiff-hardening', 0, -2);
  answers.keyctl = call(nr(250, 219), 0, -2, 1);
  answers.kexec_load = call(nr(246, 104), 0, 0, 0, 8);
  answers.init_module = call(nr(175, 105), '', 0, '');
  answers.finit_module = call(nr(313, 273), -1, '', 0);
  answers.delete_module = call(nr(176, 106), 'skiff-no-such-module', 0x800);
  answers.reboot = call(nr(169, 142), 0xfee1dead, 672274793, 1);
  answers.swapon = call(nr(167, 224), '/nothing', 0);
  answers.acct = call(nr(163, 89), '/nothing/there');
  answers.syslog = call(nr(103, 116), 10, 0, 0);
  answers.userfaultfd = call(nr(323, 282), 0);
`;

describe.skipIf(missing)(`system calls${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
  });
  afterAll(async () => {
    expect(await daemon?.destroy()).toEqual([]);
  });

  /** What a kernel may refuse to everybody, and where it says so. */
  const switchedOff = (call: string) => {
    const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim() : '');
    const locked = !/^$|\[none\]/.test(read('/sys/kernel/security/lockdown'));
    const off: Record<string, boolean> = {
      kexec_load: locked || read('/proc/sys/kernel/kexec_load_disabled') === '1',
      init_module: locked || read('/proc/sys/kernel/modules_disabled') === '1',
      finit_module: locked || read('/proc/sys/kernel/modules_disabled') === '1',
      delete_module: read('/proc/sys/kernel/modules_disabled') === '1',
      io_uring_setup: /^[12]$/.test(read('/proc/sys/kernel/io_uring_disabled')),
      bpf: locked,
      perf_event_open: locked,
    };
    return off[call] ?? false;
  };

  test('mounting, namespaces, modules, kexec, BPF, io_uring, perf and keyrings are refused, and to --privileged they are not', async () => {
    const [guarded, privileged] = [await attack(daemon, script), await attack(daemon, script, '--privileged')];
    expect(new Set(Object.values(guarded))).toEqual(new Set(['EPERM']));
    const refused = Object.keys(privileged).filter((call) => privileged[call] === 'EPERM' && !switchedOff(call));
    expect(refused).toEqual([]);
    expect(privileged).toMatchObject({ mount: 'ok', unshare_mount: 'ok', add_key: 'ok' });
  });

  test('what no capability guards is refused by the filter alone: io_uring and keyrings', async () => {
    const unfiltered = await attack(daemon, script, '--security-opt', 'seccomp=unconfined');
    expect(unfiltered).toMatchObject({ add_key: 'ok', request_key: 'ok', keyctl: 'ok', mount: 'EPERM', bpf: 'EPERM' });
    if (!switchedOff('io_uring_setup')) expect(unfiltered.io_uring_setup).toMatch(/^(ok|ENOSYS)$/);
  });

  test('a user namespace, in which it would have every power again, is not made', async () => {
    const unshare = ['hostbox', 'unshare', '-U', 'grep', 'CapEff', '/proc/self/status'];
    const refused = await daemon.docker('run', '--rm', ...unshare);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/not permitted/);
    const unfiltered = await daemon.docker('run', '--rm', '--security-opt', 'seccomp=unconfined', ...unshare);
    expect(unfiltered).toMatchObject({ code: 0 });
  });

  test('a chroot that is left by its working directory ends at the container’s own root', async () => {
    const leave = `
      answers.before = [fs.statSync('/').dev, fs.statSync('/').ino].join();
      fs.mkdirSync('/jail');
      answers.chroot = call(nr(161, 51), '/jail');
      for (let level = 0; level < 64; level++) process.chdir('..');
      answers.left = call(nr(161, 51), '.');
      answers.after = [fs.statSync('/').dev, fs.statSync('/').ino].join();
      answers.outside = fs.existsSync(${JSON.stringify(daemon.root)}) ? 'seen' : 'not seen';
    `;
    const answers = await attack(daemon, leave);
    expect(answers).toMatchObject({ chroot: 'ok', left: 'ok', outside: 'not seen' });
    expect(answers.after).toBe(answers.before);
  });

  test('a plain chroot, which is not a guard, is left by the same steps', () => {
    const jail = mkdtempSync(join(tmpdir(), 'skiff-jail-'));
    try {
      mkdirSync(join(jail, 'jail'));
      const perform = [
        `const koffi = require(${JSON.stringify(resolve('node_modules/koffi'))});`,
        "const chroot = koffi.load('libc.so.6').func('int chroot(const char *)');",
        `chroot(${JSON.stringify(jail)}); process.chdir('/'); chroot('/jail');`,
        "for (let level = 0; level < 64; level++) process.chdir('..');",
        `chroot('.'); console.log(require('node:fs').existsSync(${JSON.stringify(jail)}));`,
      ];
      expect(execFileSync(process.execPath, ['-e', perform.join('\n')], { encoding: 'utf8' })).toBe('true\n');
    } finally {
      rmSync(jail, { recursive: true });
    }
  });

  test('a file of the host is not opened by its handle (shocker)', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'skiff-shocker-'));
    try {
      writeFileSync(join(directory, 'file'), '');
      const shocker = `
        const handle = Buffer.alloc(136);
        handle.writeUInt32LE(128, 0);
        answers.handle = call(nr(303, 264), -100, '/shown/file', handle, Buffer.alloc(4), 0);
        answers.open = call(nr(304, 265), fs.openSync('/shown/file', 'r'), handle, 0);
      `;
      const options = ['-v', `${directory}:/shown`];
      expect((await attack(daemon, shocker, ...options)).open).toBe('EPERM');
      const able = await attack(daemon, shocker, ...options, '--cap-add', 'DAC_READ_SEARCH');
      // Some file systems have no handles.
      expect(able.open).toBe(able.handle === 'EOPNOTSUPP' ? 'EINVAL' : 'ok');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
