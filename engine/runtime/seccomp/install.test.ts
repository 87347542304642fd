import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { thisMachine } from './architectures.ts';
import { seccompFilterFor } from './filter.ts';
import { parseProfile } from './profile.ts';
import { write32BitProgram } from './testdata/elf32.ts';
import type { Report, Wish } from './testdata/subject.ts';

const SIGSYS = 31;
const [EPERM, ENOSYS, EBADF] = [-1, -38, -9];
const isRoot = process.getuid?.() === 0;
const dockerCapabilities =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'skiff-seccomp-'));
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  buildSync({
    entryPoints: [resolve('engine/runtime/seccomp/testdata/subject.ts')],
    outfile: join(directory, 'subject.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['koffi'],
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Profile = Parameters<typeof seccompFilterFor>[0]['profile'];

/** A child under the filter for `profile` and Docker's default capabilities. */
function under(profile: Profile, wish: Partial<Wish>, capabilities: string[] = dockerCapabilities): Report {
  const filter = seccompFilterFor({ profile, capabilities });
  const whole: Wish = {
    program: filter?.program.toString('base64') ?? null,
    flags: filter?.flags ?? 0,
    noNewPrivileges: true,
    ...wish,
  };
  const options = ['--single-threaded', '--v8-pool-size=0', join(directory, 'subject.mjs'), JSON.stringify(whole)];
  return JSON.parse(execFileSync(process.execPath, options, { encoding: 'utf8' })) as Report;
}

const nr = (name: string) => thisMachine().native.syscalls().get(name)!;

const denying = (rules: object[]) =>
  parseProfile({
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
    syscalls: rules,
  });

describe('the default profile in the kernel', () => {
  test('the process is under one filter, and says so', () => {
    const { status, failure, waitStatus } = under('default', {});
    expect({ status, failure, waitStatus }).toEqual({
      status: { NoNewPrivs: '1', Seccomp: '2', Seccomp_filters: '1' },
      failure: null,
      waitStatus: 0,
    });
  });

  test('calls are refused with the errno of the profile, allowed ones reach the kernel', () => {
    const tried: [name: string, args: number[], expected: number][] = [
      ['unshare', [0], EPERM],
      ['mount', [0, 0, 0, 0, 0], EPERM],
      ['keyctl', [0, 0, 0], EPERM],
      ['setns', [-1, 0], EPERM],
      ['bpf', [0, 0, 0], EPERM],
      ['userfaultfd', [0], EPERM],
      ['io_uring_setup', [0, 0], EPERM],
      ['clone3', [0, 0], ENOSYS],
      ['open_tree_attr', [0, 0, 0, 0, 0], ENOSYS],
      ['close', [-1], EBADF],
      ['syncfs', [-1], EBADF],
      ['personality', [0xffffffff], 0],
      ['personality', [0x0040000], EPERM], // ADDR_NO_RANDOMIZE
      ['personality', [0], 0],
      ['socket', [38, 5, 0], EPERM], // AF_ALG
      ['socket', [40, 1, 0], EPERM], // AF_VSOCK
      ['socket', [9999, 1, 0], -97], // EAFNOSUPPORT: the kernel's own answer
    ];
    const { results, waitStatus } = under('default', {
      calls: tried.map(([name, args]) => [nr(name), ...args] as [number, ...number[]]),
    });
    expect(results).toEqual(tried.map(([, , expected]) => expected));
    expect(waitStatus).toBe(0);
  });

  test.skipIf(!isRoot)('a capability opens the calls that go with it', () => {
    const calls: Wish['calls'] = [
      [nr('unshare'), 0],
      [nr('setns'), -1, 0],
      [nr('syslog'), 10],
    ];
    expect(under('default', { calls }, ['CAP_SYS_ADMIN']).results.slice(0, 2)).toEqual([0, EBADF]);
    expect(under('default', { calls }, ['CAP_SYSLOG']).results.slice(0, 2)).toEqual([EPERM, EPERM]);
    expect(under('default', { calls }, ['CAP_SYSLOG']).results[2]).toBeGreaterThan(0);
  });

  test.skipIf(!isRoot)('real programs live under it, and fail where they should', () => {
    expect(under('default', { exec: ['/bin/sh', '-c', 'echo $(ls / | head -1; id -u)'] })).toMatchObject({
      output: 'bin 0\n',
      waitStatus: 0,
    });
    const unshare = under('default', { exec: ['/usr/bin/unshare', '--mount', 'true'] });
    expect(unshare).toMatchObject({ output: 'unshare: unshare failed: Operation not permitted\n', waitStatus: 1 << 8 });
    const mount = under('default', { exec: ['/bin/mount', '-t', 'tmpfs', 'none', directory] });
    expect(mount.output).toMatch(/permission denied|Operation not permitted|must be superuser/);
    expect(mount.waitStatus).not.toBe(0);
  });

  describe.skipIf(process.arch !== 'x64')('32-bit programs on x86-64', () => {
    const i386 = thisMachine().relatives[0]!;
    const exitCode = (name: string, args: number[], profile: Profile = 'default') => {
      const path = join(directory, `i386-${name}`);
      write32BitProgram(path, [i386.syscalls().get(name)!, ...args]);
      return under(profile, { exec: [path] }).waitStatus;
    };
    const runs = () => exitCode('close', [-1], 'unconfined') === 9 << 8;

    test('they are under the same policy by their own numbers', (context) => {
      context.skip(!runs(), 'this kernel does not run 32-bit programs');
      expect(exitCode('close', [-1])).toBe(9 << 8);
      expect(exitCode('unshare', [0])).toBe(1 << 8);
      expect(exitCode('clone3', [0, 0])).toBe(38 << 8);
      expect(exitCode('personality', [0x0040000])).toBe(1 << 8);
      expect(exitCode('personality', [0xffffffff])).toBe(0);
      expect(exitCode('socket', [38, 5, 0])).toBe(1 << 8);
    });

    test('a profile for 64 bits alone does not let them make a single call', (context) => {
      context.skip(!runs(), 'this kernel does not run 32-bit programs');
      expect(exitCode('close', [-1], denying([])) & 0x7f).toBe(SIGSYS);
    });

    test('socketcall is not a way round a rule for socket', (context) => {
      context.skip(!runs(), 'this kernel does not run 32-bit programs');
      const profile = parseProfile({
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
        syscalls: [{ names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: 77 }],
      });
      expect(exitCode('socket', [1, 1, 0], profile)).toBe(77 << 8);
      expect(exitCode('socketcall', [1, 0], profile)).toBe(77 << 8);
      expect(exitCode('socketcall', [2, 0], profile)).toBe(14 << 8); // bind: EFAULT
    });
  });
});

describe('actions in the kernel', () => {
  const getppid = { names: ['getppid'] };
  const calls: Wish['calls'] = [[nr('getpid')], [nr('getppid')], [nr('getpid')]];

  test.each(['SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP'] as const)(
    '%s ends the process with SIGSYS at that call',
    (action) => {
      const { results, waitStatus } = under(denying([{ ...getppid, action }]), { calls });
      expect(results).toHaveLength(1);
      expect(waitStatus & 0x7f).toBe(SIGSYS);
    },
  );

  test('ERRNO answers with any errno, TRACE without a tracer with ENOSYS, LOG and ALLOW let the call through', () => {
    const answer = (action: string, errnoRet?: number) =>
      under(denying([{ ...getppid, action, errnoRet }]), { calls }).results[1]!;
    expect(answer('SCMP_ACT_ERRNO', 4095)).toBe(-4095);
    expect(answer('SCMP_ACT_ERRNO')).toBe(EPERM);
    expect(answer('SCMP_ACT_TRACE', 7)).toBe(ENOSYS);
    expect(answer('SCMP_ACT_LOG')).toBeGreaterThan(0);
  });

  test('64-bit arguments are compared whole, high half and low', () => {
    const rule = (op: string, value: number, valueTwo?: number) =>
      under(
        denying([
          { names: ['lseek'], action: 'SCMP_ACT_ERRNO', errnoRet: 99, args: [{ index: 1, op, value, valueTwo }] },
        ]),
        {
          calls: [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33].map((offset) => [nr('lseek'), -1, offset, 0]),
        },
      ).results.map((result) => result === -99);
    expect(rule('SCMP_CMP_EQ', 2 ** 32)).toEqual([false, true, false, false]);
    expect(rule('SCMP_CMP_NE', 2 ** 32)).toEqual([true, false, true, true]);
    expect(rule('SCMP_CMP_LT', 2 ** 32 + 1)).toEqual([true, true, false, false]);
    expect(rule('SCMP_CMP_LE', 2 ** 32)).toEqual([true, true, false, false]);
    expect(rule('SCMP_CMP_GT', 2 ** 32 + 1)).toEqual([false, false, false, true]);
    expect(rule('SCMP_CMP_GE', 2 ** 32 + 1)).toEqual([false, false, true, true]);
    expect(rule('SCMP_CMP_MASKED_EQ', 2 ** 32 + 1, 1)).toEqual([true, false, false, false]);
  });

  test('the longest program the kernel takes is taken, and decides', () => {
    const args = Array.from({ length: 680 }, (_, value) => ({ index: 1, op: 'SCMP_CMP_EQ', value: 3 * value }));
    const profile = denying([{ names: ['lseek'], action: 'SCMP_ACT_ERRNO', errnoRet: 99, args }]);
    const { program } = seccompFilterFor({ profile, capabilities: [] })!;
    expect(program.length / 8).toBeGreaterThan(3400);
    const offsets = [0, 1, 3 * 679, 3 * 680];
    const { results } = under(profile, { calls: offsets.map((offset) => [nr('lseek'), -1, offset, 0]) });
    expect(results).toEqual([-99, EBADF, -99, EBADF]);
  });
});

describe('who may set a filter', () => {
  test.skipIf(!isRoot)('with CAP_SYS_ADMIN no_new_privs is not needed, and stays off', () => {
    const { status, failure } = under('default', { noNewPrivileges: false });
    expect({ status, failure }).toEqual({
      status: { NoNewPrivs: '0', Seccomp: '2', Seccomp_filters: '1' },
      failure: null,
    });
  });

  test.skipIf(!isRoot).each([
    [0, '00000000a80425fb'],
    [1000, '0000000000000000'],
  ])('CAP_SYS_ADMIN can be held up to the exec, which takes it from user %i', (uid, permitted) => {
    const { failure, output } = under('default', {
      noNewPrivileges: false,
      become: { uid, capabilities: dockerCapabilities },
      exec: ['/bin/grep', '-E', '^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):', '/proc/self/status'],
    });
    expect(failure).toBeNull();
    expect(output.trim().split(/\s+/)).toEqual([
      ...[
        'CapPrm:',
        permitted,
        'CapEff:',
        permitted,
        'CapBnd:',
        '00000000a80425fb',
        'NoNewPrivs:',
        '0',
        'Seccomp:',
        '2',
      ],
    ]);
  });

  test('with neither it is refused, with the way out', () => {
    const { failure, status } = under('default', { noNewPrivileges: false, dropCapabilities: true });
    expect(failure).toEqual({
      message: expect.stringMatching(/needs no_new_privs or CAP_SYS_ADMIN/),
      code: 'EACCES',
    });
    expect(status.Seccomp).toBe('0');
  });

  test('without capabilities but with no_new_privs it is set', () => {
    expect(under('default', { dropCapabilities: true }).status.Seccomp).toBe('2');
  });

  test('unconfined is not a filter at all', () => {
    expect(under('unconfined', {}).status.Seccomp).toBe('0');
  });
});
