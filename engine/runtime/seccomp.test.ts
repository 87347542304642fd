import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capabilityNames } from '#kernel/capability-names';
import { defaultCapabilities } from './capabilities.ts';
import { parseProfile } from './seccomp/profile.ts';
import type { Linux, Process } from './spec.ts';
import { statusOf } from './testing/proc.ts';
import { specFor } from './testing/rootfs.ts';
import { startShim, type TestShim } from './testing/shim.ts';

const bounding = [...defaultCapabilities];
const capabilities = { bounding, effective: bounding, permitted: bounding };

/** Of busybox `true` and `sleep`, by strace(1) on x86-64 and arm64. Whatever else is called ends the caller. */
const calls =
  'execve exit_group exit arch_prctl brk set_tid_address set_robust_list rseq mprotect prlimit64 readlink readlinkat ' +
  'getrandom getuid getgid setgid setuid newfstatat prctl clock_nanosleep nanosleep';
const onlyWhatBusyboxCalls = parseProfile({
  defaultAction: 'SCMP_ACT_KILL_PROCESS',
  syscalls: [{ names: calls.split(' '), action: 'SCMP_ACT_ALLOW' }],
});

describe.skipIf(process.getuid?.() !== 0)('the seccomp filter of a container', () => {
  let shim: TestShim;
  beforeAll(async () => {
    shim = await startShim();
  });
  afterAll(() => shim?.close());

  const start = (seccomp: Linux['seccomp'], changes: Partial<Process> = {}, args = ['sleep', '1000']) => {
    const spec = specFor(shim, args);
    const linux = { ...spec.linux, ...(seccomp !== undefined && { seccomp }) };
    return shim.start({ ...spec, linux, process: { ...spec.process, capabilities, ...changes } });
  };
  const end = async (key: { container: string }) => {
    await shim.call('signal', { key, signal: 9 });
    await shim.exit(key);
    await shim.call('forget', { key });
  };

  test.each([
    [0, false, '00000000a80425fb'],
    [0, true, '00000000a80425fb'],
    [1000, false, '0000000000000000'],
    [1000, true, '0000000000000000'],
  ])(
    'user %i with no_new_privs %s is under it, with the capabilities it would have without',
    async (uid, noNew, mask) => {
      const changes = { user: { uid, gid: uid }, noNewPrivileges: noNew };
      for (const profile of ['default', undefined] as const) {
        const { key, pid } = await start(profile, changes);
        const filter = profile ? '2' : '0';
        const expected = {
          Seccomp: filter,
          NoNewPrivs: noNew ? '1' : '0',
          CapPrm: mask,
          CapEff: mask,
          CapInh: '0'.repeat(16),
        };
        expect(statusOf(pid)).toMatchObject({ ...expected, CapBnd: '00000000a80425fb', CapAmb: '0'.repeat(16) });
        await end(key);
      }
    },
  );

  test('a process that joins is under it too, even with all capabilities', async () => {
    const { key } = await start('default');
    const all = [...capabilityNames];
    const joined = await shim.exec(key.container, {
      args: ['sh', '-c', 'grep Seccomp: /proc/self/status; unshare -m true; mount -t tmpfs none /tmp'],
      capabilities: { bounding: all, effective: all, permitted: all },
    });
    expect(joined.stdout).toBe('Seccomp:\t2\n');
    expect(joined.status.exitCode).not.toBe(0);
    await end(key);
  });

  test('a profile of one’s own answers with its errno', async () => {
    const profile = parseProfile({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 122 }],
    });
    const { key } = await start(profile);
    const refused = await shim.exec(key.container, { args: ['sh', '-c', 'mkdir /tmp/x 2>&1; ls /tmp'] });
    expect(refused.stdout).toMatch(/quota/i);
    await end(key);
  });

  test('nothing but the exec comes after it: what the program itself calls is all that it has to allow', async () => {
    const profile = onlyWhatBusyboxCalls;
    for (const changes of [{}, { noNewPrivileges: true }, { user: { uid: 1000, gid: 1000 } }]) {
      const spec = specFor(shim, ['true'], { process: { capabilities, ...changes }, linux: { seccomp: profile } });
      expect((await shim.run(spec)).status).toEqual({ exitCode: 0, signal: null });
    }
    // What is killed by it is told, so it is there.
    const killed = await shim.run(specFor(shim, ['pwd'], { linux: { seccomp: profile } }));
    expect(killed.status.signal).toBe('SIGSYS');
  });

  test('nothing but the exec comes after it where one joins', async () => {
    const { key } = await start(onlyWhatBusyboxCalls, {}, ['sleep', '1000']);
    expect((await shim.exec(key.container, { args: ['true'], capabilities })).status.exitCode).toBe(0);
    expect((await shim.exec(key.container, { args: ['pwd'], capabilities })).status.signal).toBe('SIGSYS');
    await end(key);
  });
});
