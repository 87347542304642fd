import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { capabilityNames } from '#kernel/capability-names';
import { decode } from '#kernel/classic-bpf';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_THREAD } from './actions.ts';
import { type Architecture, type Machine, machines } from './architectures.ts';
import { compile } from './compile.ts';
import { resolveProfile } from './conditions.ts';
import { defaultProfile } from './default-profile.ts';
import { run } from './interpreter.ts';

/** The reference, read with nothing of the engine. */
interface Reference {
  defaultErrnoRet: number;
  syscalls: {
    names: string[];
    action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
    errnoRet?: number;
    args?: { index: number; value: number; valueTwo?: number; op: string }[];
    includes?: { caps?: string[]; arches?: string[]; minKernel?: string };
    excludes?: { caps?: string[]; arches?: string[] };
  }[];
}
const file = resolve('engine/runtime/seccomp/testdata/seccomp-default.json');
const reference = JSON.parse(readFileSync(file, 'utf8')) as Reference;

const dockerCapabilities =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);
const capabilitySets: [title: string, capabilities: string[]][] = [
  ['no capability', []],
  ["Docker's capabilities", dockerCapabilities],
  ['every capability', [...capabilityNames]],
  ...capabilityNames.map((name): [string, string[]] => [`${name} alone`, [name]]),
];

/** Values on both sides of everything the reference compares with, in either half. */
const interesting = [
  ...[0, 1, 2, 8, 9, 16, 37, 38, 39, 40, 41, 0x11, 0x20000, 0x20008, 0x40000, 0x01200011, 0x7fffffff, 0x80000000],
  ...[0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x7e020000, 0xffffffff],
  ...[2 ** 32, 2 ** 32 + 8, 2 ** 32 + 39, 2 ** 53],
].map(BigInt);
const words = [...interesting, 2n ** 64n - 1n];

type Rules = Map<string, Reference['syscalls']>;

function rulesByName({ go }: Machine, capabilities: string[], kernel: number): Rules {
  const rules: Rules = new Map();
  for (const rule of reference.syscalls) {
    const { includes = {}, excludes = {} } = rule;
    if (includes.arches && !includes.arches.includes(go)) continue;
    if (excludes.arches?.includes(go)) continue;
    if (includes.caps && !includes.caps.every((name) => capabilities.includes(name))) continue;
    if (excludes.caps?.some((name) => capabilities.includes(name))) continue;
    if (includes.minKernel && Number(includes.minKernel) > kernel) continue;
    for (const name of rule.names) rules.set(name, [...(rules.get(name) ?? []), rule]);
  }
  return rules;
}

function fits(args: Reference['syscalls'][number]['args'], given: bigint[], bits: 32 | 64): boolean {
  return (args ?? []).every(({ index, value, valueTwo = 0, op }) => {
    const argument = BigInt.asUintN(bits, given[index]!);
    const wanted = BigInt(value);
    if (op === 'SCMP_CMP_LT') return argument < wanted;
    if (op === 'SCMP_CMP_GT') return argument > wanted;
    if (op === 'SCMP_CMP_EQ') return argument === wanted;
    if (op === 'SCMP_CMP_MASKED_EQ') return (argument & wanted) === BigInt(valueTwo);
    throw new Error(`The reference has come to use ${op}.`);
  });
}

/** What the reference says to one call; `highest` is the last call that it knows. */
function decide(rules: Rules, names: string[], nr: number, highest: number, args: bigint[], bits: 32 | 64): number {
  if (nr > highest) return SECCOMP_RET_ERRNO + 38; // runc's ENOSYS for what is younger than the profile
  const verdicts = names
    .flatMap((name) => rules.get(name) ?? [])
    .filter((rule) => fits(rule.args, args, bits))
    .map(({ action, errnoRet = 1 }) =>
      action === 'SCMP_ACT_ALLOW' ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO + errnoRet,
    );
  if (new Set(verdicts).size > 1) throw new Error(`The reference contradicts itself about ${names}.`);
  return verdicts[0] ?? SECCOMP_RET_ERRNO + reference.defaultErrnoRet;
}

/** Every difference between our filter and the reference on one architecture, over all its numbers and then some. */
function differences(machine: Machine, architecture: Architecture, capabilities: string[], kernel: number) {
  const seccomp = resolveProfile(defaultProfile, { machine, capabilities, kernel: `${kernel}.0-test` });
  const program = decode(compile(seccomp, machine).program);
  const rules = rulesByName(machine, capabilities, kernel);
  const byNumber = new Map<number, string[]>();
  for (const [name, nr] of architecture.syscalls()) byNumber.set(nr, [...(byNumber.get(nr) ?? []), name]);
  const highest = Math.max(...[...rules.keys()].map((name) => architecture.syscalls().get(name) ?? -1));
  const numbers = [...Array(600).keys(), ...[...byNumber.keys()].filter((nr) => nr >= 600), 0xf0000, 0x3fffffff];
  const found: string[] = [];
  let compared = 0;
  for (const nr of numbers) {
    const called = byNumber.get(nr) ?? [];
    const conditional = called.some((name) => rules.get(name)?.some(({ args }) => args));
    for (const first of conditional ? words : [0n, 2n ** 64n - 1n]) {
      for (const second of conditional ? [0n, 0x10000000n] : [first]) {
        const args = [first, second, first, first, first, first];
        const expected = decide(rules, called, nr, highest, args, architecture.bits);
        const call = { nr: (nr | architecture.numberBit) >>> 0, arch: architecture.audit, args };
        compared += 1;
        if (run(program, call).value !== expected) found.push(`${called} ${nr} (${first}, ${second})`);
      }
    }
  }
  return { found, compared };
}

test('the tables know every call of the reference but those of other architectures', () => {
  const known = new Set(
    machines.flatMap(({ native, relatives }) => [native, ...relatives].flatMap((one) => [...one.syscalls().keys()])),
  );
  const unknown = reference.syscalls.flatMap(({ names }) => names).filter((name) => !known.has(name));
  expect(unknown.filter((name) => !/^(riscv|s390)_|^swapcontext$/.test(name))).toEqual([]);
});

describe.each(machines)('on $go', (machine) => {
  const architectures = [machine.native, ...machine.relatives].map((architecture) => ({
    name: architecture.name,
    architecture,
  }));

  test.each(architectures)(
    '$name: every call is decided as the reference decides it',
    ({ architecture }) => {
      for (const [title, capabilities] of capabilitySets) {
        const { found, compared } = differences(machine, architecture, capabilities, 6.1);
        expect(found, title).toEqual([]);
        expect(compared).toBeGreaterThan(1200);
      }
    },
    120_000,
  );

  test('an old kernel gets neither ptrace nor its relatives', () => {
    expect(differences(machine, machine.native, [], 4.4).found).toEqual([]);
    const decision = (kernel: string) => {
      const program = decode(
        compile(resolveProfile(defaultProfile, { machine, capabilities: [], kernel }), machine).program,
      );
      const call = { nr: machine.native.syscalls().get('ptrace')!, arch: machine.native.audit };
      return run(program, call).value;
    };
    expect(decision('4.7.10-generic')).toBe(SECCOMP_RET_ERRNO + 1);
    expect([decision('4.8.0'), decision('4.10.0'), decision('6.18.44-fc')]).toEqual(Array(3).fill(SECCOMP_RET_ALLOW));
  });

  test('an architecture the machine does not have ends the thread', () => {
    const program = decode(
      compile(resolveProfile(defaultProfile, { machine, capabilities: [], kernel: '6.1' }), machine).program,
    );
    const foreign = machines.find(({ go }) => go !== machine.go)!;
    for (const arch of [0, 0xffffffff, foreign.native.audit])
      expect(run(program, { nr: 1, arch }).value).toBe(SECCOMP_RET_KILL_THREAD);
  });
});
