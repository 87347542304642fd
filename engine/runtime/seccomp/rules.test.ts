import { describe, expect, test } from 'vitest';
import { decode } from '#kernel/classic-bpf';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_THREAD } from './actions.ts';
import { machines } from './architectures.ts';
import { compile } from './compile.ts';
import { run } from './interpreter.ts';
import { parseProfile, type Seccomp } from './profile.ts';

const machine = machines[0]!;
const x86 = machine.relatives[0]!;
const ALLOW = SECCOMP_RET_ALLOW;
const errno = (number: number) => SECCOMP_RET_ERRNO + number;

type Arg = [index: number, op: string, value: number, valueTwo?: number];
const rule = (name: string, action: string, errnoRet: number | undefined, ...args: Arg[]) => ({
  names: [name],
  action,
  ...(errnoRet !== undefined && { errnoRet }),
  args: args.map(([index, op, value, valueTwo]) => ({ index, op: `SCMP_CMP_${op}`, value, valueTwo })),
});
const deny = (errnoRet: number, ...args: Arg[]) => rule('lseek', 'SCMP_ACT_ERRNO', errnoRet, ...args);
const allow = (...args: Arg[]) => rule('lseek', 'SCMP_ACT_ALLOW', undefined, ...args);

function decide(
  defaultAction: string,
  syscalls: object[],
  call: { name?: string; nr?: number; args?: number[]; arch?: number },
  architectures = ['SCMP_ARCH_X86_64'],
): number {
  const seccomp: Seccomp = parseProfile({ defaultAction, architectures, syscalls });
  const { name = 'lseek', arch = machine.native.audit, args = [] } = call;
  const table = (arch === x86.audit ? x86 : machine.native).syscalls();
  return run(decode(compile(seccomp, machine).program), {
    nr: call.nr ?? table.get(name)!,
    arch,
    args: args.map(BigInt),
  }).value;
}
const lseek = (defaultAction: string, syscalls: object[], ...args: number[]) =>
  decide(defaultAction, syscalls, { args });

describe('several rules for one call', () => {
  const byDefault = 'SCMP_ACT_ALLOW';

  test('one without conditions ends the matter, wherever it stands', () => {
    expect(lseek(byDefault, [deny(10), deny(11, [0, 'EQ', 1])], 1)).toBe(errno(10));
    expect(lseek(byDefault, [deny(11, [0, 'EQ', 1]), deny(10)], 1)).toBe(errno(10));
  });

  test('of several without conditions the first one counts', () => {
    expect(lseek(byDefault, [deny(10), deny(11)])).toBe(errno(10));
  });

  test('one with the default action says nothing', () => {
    expect(lseek(byDefault, [allow(), deny(10)])).toBe(errno(10));
    expect(lseek(byDefault, [deny(10), allow([0, 'EQ', 1])], 1)).toBe(errno(10));
    expect(lseek('SCMP_ACT_ERRNO', [deny(1), allow()])).toBe(ALLOW);
    expect(lseek('SCMP_ACT_ERRNO', [deny(2), allow()])).toBe(errno(2));
  });

  test('rules with conditions are alternatives, and a call that fits none gets the default', () => {
    const rules = [allow([0, 'EQ', 1]), allow([0, 'EQ', 5])];
    expect([0, 1, 4, 5].map((argument) => lseek('SCMP_ACT_KILL', rules, argument))).toEqual([
      SECCOMP_RET_KILL_THREAD,
      ALLOW,
      SECCOMP_RET_KILL_THREAD,
      ALLOW,
    ]);
  });

  test('all conditions of a rule have to hold', () => {
    const rules = [deny(10, [0, 'EQ', 1], [2, 'GT', 7])];
    expect(lseek(byDefault, rules, 1, 0, 8)).toBe(errno(10));
    expect(lseek(byDefault, rules, 1, 0, 7)).toBe(ALLOW);
    expect(lseek(byDefault, rules, 2, 0, 8)).toBe(ALLOW);
  });

  test('unless two are about the same argument: then each is enough', () => {
    const rules = [deny(10, [0, 'EQ', 1], [0, 'EQ', 2], [1, 'EQ', 3])];
    expect(lseek(byDefault, rules, 1, 0)).toBe(errno(10));
    expect(lseek(byDefault, rules, 2, 0)).toBe(errno(10));
    expect(lseek(byDefault, rules, 9, 3)).toBe(errno(10));
    expect(lseek(byDefault, rules, 9, 9)).toBe(ALLOW);
  });

  test('a mask without a bit is not a condition', () => {
    expect(lseek(byDefault, [deny(10, [0, 'MASKED_EQ', 0, 5]), deny(11, [0, 'EQ', 1])], 1)).toBe(errno(10));
  });
});

describe('calls that a profile does not name', () => {
  const rules = [allow(), rule('statx', 'SCMP_ACT_ALLOW', undefined)];
  const call = (nr: number, byDefault: string, syscalls: object[] = rules) => decide(byDefault, syscalls, { nr });

  test('are answered ENOSYS when they are younger than all it names, so that programs fall back', () => {
    expect([331, 332, 333, 469].map((nr) => call(nr, 'SCMP_ACT_ERRNO'))).toEqual([
      errno(1),
      ALLOW,
      errno(38),
      errno(38),
    ]);
    expect(call(333, 'SCMP_ACT_KILL_PROCESS')).toBe(errno(38));
  });

  test('go to the kernel where the default lets calls through', () => {
    expect(call(400, 'SCMP_ACT_ALLOW', [deny(1)])).toBe(ALLOW);
  });

  test('get the default action from a profile that names none at all', () => {
    expect(call(1, 'SCMP_ACT_ERRNO', [])).toBe(errno(1));
  });

  test('names no architecture has are passed over', () => {
    const strange = ['no_such_call', '__proto__', 'constructor'].map((name) => rule(name, 'SCMP_ACT_ALLOW', undefined));
    expect(call(0, 'SCMP_ACT_ERRNO', [...strange, ...rules])).toBe(errno(1));
  });
});

describe('the 32-bit relatives of x86-64', () => {
  const denySocket = [rule('socket', 'SCMP_ACT_ERRNO', 10)];
  const all = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
  const X32 = 0x40000000;

  test('are killed when the profile does not list them, but for −1, which is not a call', () => {
    expect(decide('SCMP_ACT_ALLOW', denySocket, { nr: 1, arch: x86.audit })).toBe(SECCOMP_RET_KILL_THREAD);
    expect(decide('SCMP_ACT_ALLOW', denySocket, { nr: X32 + 41 })).toBe(SECCOMP_RET_KILL_THREAD);
    expect(decide('SCMP_ACT_ALLOW', denySocket, { nr: X32 })).toBe(SECCOMP_RET_KILL_THREAD);
    expect(decide('SCMP_ACT_ALLOW', denySocket, { nr: 0xffffffff })).toBe(ALLOW);
  });

  test('have their own numbers when it does', () => {
    expect(decide('SCMP_ACT_ALLOW', denySocket, { nr: X32 + 41 }, all)).toBe(errno(10));
    expect(decide('SCMP_ACT_ALLOW', denySocket, { nr: 359, arch: x86.audit }, all)).toBe(errno(10));
    expect(decide('SCMP_ACT_ALLOW', denySocket, { nr: 41, arch: x86.audit }, all)).toBe(ALLOW);
    const execve = [rule('execve', 'SCMP_ACT_ERRNO', 10)];
    expect([59, 520, X32 + 59, X32 + 520].map((nr) => decide('SCMP_ACT_ALLOW', execve, { nr }, all))).toEqual([
      errno(10),
      ALLOW,
      ALLOW,
      errno(10),
    ]);
  });

  const socketcall = (byDefault: string, rules: object[], ...args: number[]) =>
    decide(byDefault, rules, { name: 'socketcall', args, arch: x86.audit }, all);

  test('socketcall and ipc follow the rules of the calls they stand for', () => {
    expect(socketcall('SCMP_ACT_ALLOW', denySocket, 1)).toBe(errno(10));
    expect(socketcall('SCMP_ACT_ALLOW', denySocket, 2)).toBe(ALLOW);
    const shmget = [rule('shmget', 'SCMP_ACT_ERRNO', 10)];
    const ipc = (...args: number[]) => decide('SCMP_ACT_ALLOW', shmget, { name: 'ipc', args, arch: x86.audit }, all);
    expect([ipc(23), ipc(0x10000 + 23), ipc(24)]).toEqual([errno(10), errno(10), ALLOW]);
  });

  test('what a filter cannot see behind them stops a call and lets none through', () => {
    expect(socketcall('SCMP_ACT_ALLOW', [rule('socket', 'SCMP_ACT_ERRNO', 10, [0, 'EQ', 38])], 1)).toBe(errno(10));
    expect(socketcall('SCMP_ACT_ERRNO', [rule('socket', 'SCMP_ACT_ALLOW', undefined, [0, 'EQ', 1])], 1)).toBe(errno(1));
    expect(socketcall('SCMP_ACT_ERRNO', [rule('socket', 'SCMP_ACT_ALLOW', undefined)], 1)).toBe(ALLOW);
  });
});
