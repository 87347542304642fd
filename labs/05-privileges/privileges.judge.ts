/** What the suite has in its hands: children looked at from outside, at each of their stops. */

import { constants } from 'node:os';
import { expect } from 'vitest';
import { capabilityNames } from '../../engine/kernel/capability-names.ts';
import { encode } from '../../engine/kernel/classic-bpf.ts';
import { parseProcessStat } from '../../engine/kernel/process-stat.ts';
import { assembleFilter } from '../../engine/runtime/seccomp/program.ts';
import { childOf, cmdline, environ, eventually, nonce, status } from '../../grader/harness/evidence.ts';
import { readFileSync } from '../../grader/harness/files.ts';
import { draw } from '../../grader/harness/random.ts';
import { type Subject, unsupported } from '../../grader/harness/suite.ts';
import { sandboxIds } from '../../grader/harness/user-ids.ts';
import { ALLOW, always, native, numbers } from './filters.judge.ts';
import type { ConfineRequest, Step, Stop } from './privileges.driver.ts';

export const lines = {
  inheritable: 'CapInh',
  permitted: 'CapPrm',
  effective: 'CapEff',
  bounding: 'CapBnd',
  ambient: 'CapAmb',
};
export type SetName = keyof typeof lines;
export const setNames = Object.keys(lines) as SetName[];
export const everyName: readonly string[] = capabilityNames;

export function maskOf(names: readonly string[]): bigint {
  return [...new Set(names)].reduce((sum, name) => sum + 2n ** BigInt(everyName.indexOf(name)), 0n);
}

export function namesIn(mask: bigint): string[] {
  return everyName.filter((_, bit) => (mask >> BigInt(bit)) & 1n);
}

/** The five sets of a process by the kernel, as masks. */
export function masksOf(pid: number): Record<SetName, bigint> {
  const fields = status(pid);
  return Object.fromEntries(setNames.map((set) => [set, BigInt(`0x${fields[lines[set]]}`)])) as Record<SetName, bigint>;
}

const MOST_LISTED = 12;

function listed(names: string[]): string {
  if (names.length === 0) return 'empty';
  if (names.length === everyName.length) return `all ${names.length}`;
  const more = names.length - MOST_LISTED;
  return `${names.slice(0, MOST_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Compare sets of process `pid` with what they should be, by name. @param when e.g. `before its exec`. */
export function expectSets(pid: number, wanted: Partial<Record<SetName, bigint>>, when: string): void {
  const masks = masksOf(pid);
  const wrong = setNames.flatMap((set) => {
    const [is, should] = [masks[set], wanted[set]];
    if (should === undefined || is === should) return [];
    const more = [
      is & ~should && `too much: ${listed(namesIn(is & ~should))}`,
      should & ~is && `missing: ${listed(namesIn(should & ~is))}`,
    ];
    return `${lines[set]} (${set})\n  should be  ${listed(namesIn(should))}\n  is         ${listed(namesIn(is))}\n  ${more.filter(Boolean).join('; ')}`;
  });
  if (wrong.length > 0) throw new Error(`/proc/${pid}/status of the child ${when}:\n${wrong.join('\n')}`);
}

/** Compare lines of /proc/PID/status, e.g. `{NoNewPrivs: '1'}`. */
export function expectStatus(pid: number, wanted: Record<string, string>, when: string): void {
  const fields = status(pid);
  for (const [field, value] of Object.entries(wanted))
    expect(fields[field]?.replace(/\s+/g, ' '), `${field} in /proc/${pid}/status of the child ${when}`).toBe(value);
}

/**
 * Compare how many filters the child has beyond those of the sandbox itself, which every process in it is under. Where
 * the sandbox has none of its own, the kernel may be too old to count them, and says only whether there are any.
 */
export function expectFilters(subject: Subject, pid: number, wanted: 0 | 1, when: string): void {
  const [own, fields] = [status(subject.pid), status(pid)];
  const count = fields.Seccomp_filters;
  const is = count === undefined ? Number(fields.Seccomp === '2') : Number(count) - Number(own.Seccomp_filters);
  const words =
    count === undefined ? 'Seccomp' : `Seccomp_filters less ${own.Seccomp_filters}, which are the sandbox's,`;
  expect(is, `the filters of the child ${when}: ${words} in /proc/${pid}/status`).toBe(wanted);
}

export type Wanted = Partial<Record<SetName, bigint>>;

export interface Child {
  /** Its pid here. */
  pid: number;
  /** Where it stops. */
  at: string;
  mark: string;
}

export interface Way {
  stops?: Stop[];
  /** What a shell is to run before it becomes `sleep`; without it the program is `sleep` at once. */
  script?: string;
}

/** Start a child that takes the steps, and let it come to its first stop. */
export async function start(subject: Subject, { stops = ['exec'], script }: Way, ...steps: Step[]): Promise<Child> {
  const mark = nonce();
  const bin = `${subject.rootfs}/bin`;
  const sleep = [`${bin}/sleep`, String(draw.int(1000, 9999))];
  const args = script === undefined ? sleep : [`${bin}/sh`, '-c', `${script}; exec ${sleep.join(' ')}`];
  const env = [`SKIFF_NONCE=${mark}`, `PATH=${bin}`];
  const { pid, at } = (await subject.call('start', { args, env, steps, stops })) as { pid: number; at: string };
  return { pid: childOf(subject, pid), at, mark };
}

/** Let it go on, and expect it to stop at `place` next. */
export async function goOn(subject: Subject, child: Child, place: Stop): Promise<void> {
  child.at = (await subject.call('goOn')) as string;
  expect(child.at, 'where the child comes next').toBe(place);
}

/** The same, and then let it become its program: `sleep`. @returns the program's pid here. */
export async function running(subject: Subject, way: Way, ...steps: Step[]): Promise<number> {
  const child = await start(subject, { stops: [], ...way }, ...steps);
  return await becomesSleep(child);
}

/**
 * Wait until the child itself runs `sleep`. Children of the shell do not matter, and with busybox all programs are one
 * file, so the name that it was called by tells them apart.
 */
async function becomesSleep({ pid, mark }: Child): Promise<number> {
  const arrived = () => {
    const ending = endingOf(pid);
    if (ending !== null) throw new Error(`The program came to its end too early: ${ending}.`);
    return (cmdline(pid)[0]?.endsWith('/sleep') && environ(pid).includes(`SKIFF_NONCE=${mark}`)) || null;
  };
  await eventually(arrived, `Process ${pid} did not become its program within 20 s.`, 20_000);
  return pid;
}

/** What an ended process, which nobody has waited for, ended with. proc_pid_stat(5), exit_code. */
function endingOf(pid: number): string | null {
  const { state, exitCode: code } = parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (state !== 'Z') return null;
  const signal = Object.entries(constants.signals).find(([, number]) => number === (code & 0x7f))?.[0];
  if (signal === 'SIGSYS') return 'SIGSYS, so the filter answered one of its calls with KILL';
  return signal === undefined ? `exit code ${code >> 8}` : signal;
}

/** How many user ids a sandbox has: the judge's own doing, whatever a submission makes of it. */
const hasManyIds = (): boolean => sandboxIds(0, 0).size >= 4096;

/** A sandbox of one id has nobody to be but root. */
export function needManyIds(): void {
  if (!hasManyIds())
    unsupported(
      'A sandbox has only one user id here, and this test needs more: ./workshop doctor says how to get them.',
    );
}

/** Groups for a change of user; null where setgroups(2) is denied for good. user_namespaces(7). */
export function groups(...ids: number[]): number[] | null {
  return hasManyIds() ? ids : null;
}

/** Take the steps, and compare the sets of the child right before its exec. */
export async function setsAfter(subject: Subject, wanted: Wanted, ...steps: Step[]): Promise<void> {
  const { pid } = await start(subject, {}, ...steps);
  const last = steps.at(-1)!;
  const asked =
    last.do === 'setCapabilitySets' ? [...Object.entries(last.capabilities), ['untilExec', last.untilExec ?? []]] : [];
  const words = asked.map(([set, names]) => `\n  ${set}: ${names}`).join('');
  expectSets(pid, wanted, `after ${last.do} with${words}\n`);
  await subject.call('goOn');
}

/** What the child has before your function is called, without it. */
export function beginWith(names: readonly string[]): Step {
  const mask = maskOf(names);
  return { do: 'begin with', permitted: mask, effective: mask, inheritable: 0n };
}

/** A filter of the judge's making that answers EPERM to some calls. */
export function forbid(...names: string[]): NonNullable<ConfineRequest['filter']> {
  const calls = numbers(...names).map((number) => always(number, 0x00050001));
  return { program: Uint8Array.from(encode(assembleFilter([native(calls)], ALLOW))), flags: 0 };
}

/** Without other words: root stays root, with nothing asked for. */
export function confine(change: Partial<ConfineRequest> = {}): Step {
  const user = { uid: 0, gid: 0, groups: groups() };
  return { do: 'confine', confinement: { capabilities: {}, noNewPrivileges: false, filter: null, user, ...change } };
}

/** All five sets the same. */
export const five = <T>(each: T) => Object.fromEntries(setNames.map((set) => [set, each]));

/** What root's program is to have; without CAP_SYS_ADMIN, so that it can be told from what `confine` holds. */
export function few(subject: Subject): string[] {
  return draw.some(namesIn(masksOf(subject.pid).bounding & ~maskOf(['CAP_SYS_ADMIN'])), draw.int(2, 5));
}

export const forRoot = (names: string[]) => ({ bounding: names, permitted: names, effective: names });

/** Expect a promise to be rejected; vitest's own matcher forgets the words. */
export async function expectError(promise: Promise<unknown>, what: string, text = ''): Promise<void> {
  const message = await promise.then(
    () => null,
    (error: Error) => error.message,
  );
  if (message === null) throw new Error(`${what} should be an error; it was passed over.`);
  if (!message.includes(text)) throw new Error(`${what} should be an error with "${text}" in it; it is: ${message}`);
}
