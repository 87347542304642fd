import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { thisMachine } from './architectures.ts';
import { compile } from './compile.ts';
import { resolveProfile } from './conditions.ts';
import { seccompFilterFor } from './filter.ts';
import { parseProfile, parseProfileText } from './profile.ts';

const rule = { names: ['mount'], action: 'SCMP_ACT_ERRNO' };
const arg = { index: 0, value: 1, op: 'SCMP_CMP_EQ' };
const withRule = (more: object) => ({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ ...rule, ...more }] });
const withArg = (more: object) => withRule({ args: [{ ...arg, ...more }] });

test.each<[document: unknown, complaint: RegExp]>([
  [{}, /defaultAction: nothing is not an action; there is SCMP_ACT_KILL/],
  [{ defaultAction: 'allow' }, /defaultAction: "allow" is not an action/],
  [{ defaultAction: 'SCMP_ACT_NOTIFY' }, /SCMP_ACT_NOTIFY has another process decide.*Use SCMP_ACT_ERRNO/],
  [withRule({ action: 'SCMP_ACT_NOTIFY' }), /syscalls\.0\.action: SCMP_ACT_NOTIFY/],
  [withRule({ action: 'SCMP_ACT_DENY' }), /syscalls\.0\.action: "SCMP_ACT_DENY" is not an action/],
  [
    withArg({ op: 'SCMP_CMP_LIKE' }),
    /syscalls\.0\.args\.0\.op: "SCMP_CMP_LIKE" is not a comparison; there is SCMP_CMP_NE/,
  ],
  [withArg({ index: 6 }), /syscalls\.0\.args\.0\.index/],
  [withArg({ value: -1 }), /syscalls\.0\.args\.0\.value/],
  [withArg({ value: 2 ** 60 }), /syscalls\.0\.args\.0\.value/],
  [withArg({ value: '18446744073709551616' }), /syscalls\.0\.args\.0\.value/],
  [withRule({ errnoRet: 4096 }), /syscalls\.0\.errnoRet/],
  [withRule({ errno: 'EWRONG' }), /syscalls\.0\.errno: "EWRONG" is not an errno/],
  [withRule({ names: [] }), /syscalls\.0: it needs names/],
  [withRule({ name: 'mount' }), /syscalls\.0: it needs names/],
  [withRule({ priority: 1 }), /syscalls\.0: .*"priority"/],
  [withRule({ includes: { minKernel: 'new' } }), /minKernel: "new" is not a kernel version/],
  [{ ...withRule({}), architectures: ['SCMP_ARCH_Z80'] }, /architectures\.0: "SCMP_ARCH_Z80" is not an architecture/],
  [
    { ...withRule({}), flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] },
    /flags\.0: .* is not a flag this engine has/,
  ],
  [{ ...withRule({}), listenerPath: '/run/agent' }, /"listenerPath"/],
  [
    { ...withRule({}), architectures: ['SCMP_ARCH_X86'], archMap: [{ architecture: 'SCMP_ARCH_X86_64' }] },
    /architectures and archMap say the same thing/,
  ],
  [[], /seccomp profile cannot be used/],
  ['default', /seccomp profile cannot be used/],
  [null, /seccomp profile cannot be used/],
])('%j is refused, and told where and why', (document, complaint) => {
  expect(() => parseProfile(document)).toThrow(
    expect.objectContaining({ name: 'SeccompProfileError', code: 'EINVAL' }),
  );
  expect(() => parseProfile(document)).toThrow(complaint);
});

test('text that is not JSON is refused', () => {
  expect(() => parseProfileText('unconfined')).toThrow(/The seccomp profile is not JSON/);
});

test('numbers beyond 2⁵³ in text keep every bit, and digits in strings stay as they are', () => {
  const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a\\"1234567890123456789"],"action":"SCMP_ACT_ERRNO",
    "args":[{"index":0,"value":18446744073709551615,"valueTwo":9007199254740993,"op":"SCMP_CMP_MASKED_EQ"}]}]}`;
  const [syscall] = parseProfileText(text).syscalls;
  expect(syscall?.names).toEqual(['a"1234567890123456789']);
  expect(syscall?.args?.[0]).toMatchObject({ value: '18446744073709551615', valueTwo: '9007199254740993' });
});

test('old profiles with one name a rule, and errnos by name, are understood', () => {
  const profile = parseProfile({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrno: 'ENOSYS',
    syscalls: [{ name: 'mount', action: 'SCMP_ACT_ERRNO', errno: 'EACCES', args: null, comment: '', includes: {} }],
  });
  expect(profile.defaultErrnoRet).toBe(38);
  expect(profile.syscalls[0]).toMatchObject({ names: ['mount'], errnoRet: 13 });
});

test.each([resolve('engine/runtime/seccomp/testdata/seccomp-default.json'), '/usr/share/containers/seccomp.json'])(
  '%s, as it is in the world, is understood',
  (file) => {
    if (!existsSync(file)) return;
    const profile = parseProfileText(readFileSync(file, 'utf8'));
    const circumstances = { machine: thisMachine(), capabilities: [], kernel: '6.1' };
    expect(compile(resolveProfile(profile, circumstances), thisMachine()).program.length).toBeGreaterThan(1000);
  },
);

test('rules for a capability, an architecture or a kernel count only there', () => {
  const only = (condition: object, capabilities: string[] = [], kernel = '5.10.0-13-amd64') => {
    const profile = parseProfile(withRule(condition));
    return resolveProfile(profile, { machine: thisMachine(), capabilities, kernel }).syscalls.length === 1;
  };
  const both = { caps: ['CAP_BPF', 'CAP_PERFMON'] };
  expect(only({ includes: both }, ['CAP_BPF'])).toBe(false);
  expect(only({ includes: both }, ['CAP_PERFMON', 'CAP_BPF'])).toBe(true);
  expect(only({ excludes: both }, ['CAP_BPF'])).toBe(false);
  expect(only({ excludes: both }, ['CAP_CHOWN'])).toBe(true);
  expect(only({ includes: { arches: ['s390x', thisMachine().go] } })).toBe(true);
  expect(only({ includes: { arches: ['s390x'] } })).toBe(false);
  expect(only({ excludes: { arches: [thisMachine().go] } })).toBe(false);
  expect(['4.19', '5.9', '5.10'].map((minKernel) => only({ includes: { minKernel } }))).toEqual([true, true, true]);
  expect(['5.11', '6.0'].map((minKernel) => only({ includes: { minKernel } }))).toEqual([false, false]);
  expect(only({ excludes: { minKernel: '5.10' } })).toBe(false);
});

test('a filter is made once for each profile and set of capabilities, whatever the order of their names', () => {
  const filter = seccompFilterFor({ profile: 'default', capabilities: ['CAP_CHOWN', 'CAP_KILL'] });
  expect(seccompFilterFor({ profile: 'default', capabilities: ['CAP_KILL', 'CAP_CHOWN'] })).toBe(filter);
  expect(seccompFilterFor({ profile: 'default', capabilities: ['CAP_SYS_ADMIN'] })).not.toBe(filter);
  const profile = parseProfile(withRule({}));
  const own = seccompFilterFor({ profile, capabilities: [] });
  expect(own?.program.equals(filter!.program)).toBe(false);
  expect(seccompFilterFor({ profile: parseProfile(withRule({})), capabilities: [] })).toBe(own);
  expect(seccompFilterFor({ profile: 'unconfined', capabilities: [] })).toBeNull();
});

test('without flags of its own a profile has SPEC_ALLOW; with them those and no other', () => {
  const flags = (flags?: string[]) =>
    seccompFilterFor({ profile: parseProfile({ ...withRule({}), flags }), capabilities: [] })!.flags;
  expect([flags(), flags([]), flags(['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC'])]).toEqual([4, 0, 3]);
});

test('a profile that needs too long a program is refused with the number and a way out', () => {
  const args = Array.from({ length: 2000 }, (_, value) => ({ index: 0, op: 'SCMP_CMP_EQ', value }));
  const profile = parseProfile(withRule({ args }));
  expect(() => seccompFilterFor({ profile, capabilities: [] })).toThrow(/needs \d+ BPF instructions .* at most 4096/);
});
