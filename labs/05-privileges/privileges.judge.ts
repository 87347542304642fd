/** What the suite has in its hands: children looked at from outside, and filters run on the judge's own machine. */

import { randomInt } from 'node:crypto';
import { capabilityNames } from '../../engine/kernel/capability-names.ts';
import * as bpf from '../../engine/kernel/classic-bpf.ts';
import { thisMachine } from '../../engine/runtime/seccomp/architectures.ts';
import { run, type SystemCall } from '../../engine/runtime/seccomp/interpreter.ts';
import { childOf, cmdline, eventually, idMap, nonce, processWithNonce, status } from '../../grader/harness/evidence.ts';
import { type Subject, unsupported } from '../../grader/harness/suite.ts';
import type { Step } from './privileges.driver.ts';

export const ALLOW = 0x7fff0000;
export const errno = (number: number) => 0x00050000 + number;
export const machine = thisMachine();
export const NATIVE = machine.native.audit;
export const sets = {
  inheritable: 'CapInh',
  permitted: 'CapPrm',
  effective: 'CapEff',
  bounding: 'CapBnd',
  ambient: 'CapAmb',
};
export type SetName = keyof typeof sets;

export function maskOf(names: string[]): bigint {
  return names.reduce((sum, name) => sum + 2n ** BigInt(capabilityNames.indexOf(name as 'CAP_CHOWN')), 0n);
}

/** The five sets of a process by the kernel, as masks. */
export function masksOf(pid: number): Record<SetName, bigint> {
  const fields = status(pid);
  const mask = (name: SetName) => [name, BigInt(`0x${fields[sets[name]]}`)];
  return Object.fromEntries((Object.keys(sets) as SetName[]).map(mask)) as Record<SetName, bigint>;
}

/** `count` different ones of `all`, in any order. */
export function some<T>(all: readonly T[], count: number): T[] {
  const left = [...all];
  return Array.from({ length: count }, () => left.splice(randomInt(left.length), 1)[0]!);
}

export const everyName: readonly string[] = capabilityNames;

/** Start a child that takes the steps and stops before its exec. @returns its pid here. */
export async function stopped(subject: Subject, ...steps: Step[]): Promise<number> {
  const args = [`${subject.rootfs}/bin/sleep`, '1000'];
  return childOf(subject, (await subject.call('start', { args, env: [], steps })) as number);
}

/** The same, and then let it become its program. @returns the program's pid here. */
export async function running(subject: Subject, ...steps: Step[]): Promise<number> {
  return await program(subject, { args: [`${subject.rootfs}/bin/sleep`, '1000'] }, ...steps);
}

/** Start a shell script that ends in `exec sleep`. */
export async function script(subject: Subject, text: string, ...steps: Step[]): Promise<number> {
  const args = [`${subject.rootfs}/bin/sh`, '-c', `${text}; exec ${subject.rootfs}/bin/sleep 1000`];
  return await program(subject, { args }, ...steps);
}

async function program(subject: Subject, { args }: { args: string[] }, ...steps: Step[]): Promise<number> {
  const mark = nonce();
  const env = [`SKIFF_NONCE=${mark}`, `PATH=${subject.rootfs}/bin`];
  await subject.call('start', { args, env, steps });
  await subject.call('goOn');
  const pid = await processWithNonce(subject, mark, { program: 'sleep' });
  // With busybox the shell is the same file.
  const sleeps = () => cmdline(pid)[0]?.endsWith('sleep') || null;
  await eventually(sleeps, 'The program did not come to its end.', 10_000);
  return pid;
}

/** A sandbox of one id has nobody to be but root. */
export function needManyIds(subject: Subject): void {
  const ids = idMap(subject.pid, 'uid').reduce((sum, { size }) => sum + size, 0);
  if (ids < 4096)
    unsupported(`this sandbox has ${ids} user id(s); install uidmap and give yourself a range in /etc/subuid`);
}

const codes = [bpf.LOAD, bpf.AND, bpf.JA, bpf.JEQ, bpf.JGT, bpf.JGE, bpf.JSET, bpf.RET];

/**
 * A program that the kernel would take: seccomp_check_filter of kernel/seccomp.c and bpf_check_classic of net/core/filter.c.
 * @throws Error that says where it would not.
 */
export function checked(answer: unknown): bpf.Instruction[] {
  const program = answer as bpf.Instruction[];
  if (!Array.isArray(program) || program.length === 0)
    throw new Error('assembleFilter answers a list of instructions.');
  if (program.length > bpf.MOST_INSTRUCTIONS)
    throw new Error(`The program has ${program.length} instructions; the kernel takes ${bpf.MOST_INSTRUCTIONS}.`);
  for (const [at, { code, jt, jf, k }] of program.entries()) {
    const where = `instruction ${at} of ${program.length}, ${JSON.stringify(program[at])}`;
    if (!codes.includes(code)) throw new Error(`${where}: there is no such code.`);
    for (const [name, value, most] of [
      ['jt', jt, 255],
      ['jf', jf, 255],
      ['k', k, 0xffffffff],
    ] as const)
      if (!Number.isInteger(value) || value < 0 || value > most)
        throw new Error(`${where}: ${name} is not in 0…${most}.`);
    const furthest = code === bpf.JA ? k : Math.max(jt, jf);
    if (code !== bpf.RET && at + 1 + furthest >= program.length) throw new Error(`${where} leads past the end.`);
    if (code === bpf.LOAD && (k % 4 !== 0 || k >= bpf.SECCOMP_DATA_BYTES))
      throw new Error(`${where}: struct seccomp_data has no word at offset ${k}.`);
  }
  return program;
}

/** What the program answers to a call, by the judge's own reading of it. */
export function decide(program: bpf.Instruction[], call: Partial<SystemCall>): number {
  return run(program, { nr: 0, arch: NATIVE, ...call }).value;
}

/** The native numbers of those of the names that this machine has. */
export function numbers(...names: string[]): number[] {
  const table = machine.native.syscalls();
  return names.flatMap((name) => table.get(name) ?? []);
}
