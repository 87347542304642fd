/** Filters, run on the judge's own copy of the kernel's little machine. */

import * as bpf from '../../engine/kernel/classic-bpf.ts';
import type { ArgumentTest, FilterEntry, FilterRule } from '../../engine/runtime/contract/privileges.ts';
import { thisMachine } from '../../engine/runtime/seccomp/architectures.ts';
import { run, type SystemCall } from '../../engine/runtime/seccomp/interpreter.ts';
import { draw } from '../../grader/harness/random.ts';

export const ALLOW = 0x7fff0000;
export const KILL = 0x80000000;
export const errno = (number: number) => 0x00050000 + number;
export const X32 = 0x40000000;
const machine = thisMachine();
export const NATIVE = machine.native.audit;
export const FULL = 0xffffffffffffffffn;

/** AUDIT_ARCH_… of other entries, linux/audit.h. */
export const STRANGERS = [0x40000003, 0x40000028, 0xc0000015, 0xc00000b7, 0xc000003e].filter((arch) => arch !== NATIVE);

/** SECCOMP_RET_… as kernel people call them. linux/seccomp.h. */
export function answerName(answer: number): string {
  const names: Record<number, string> = {
    2147483648: 'KILL_PROCESS',
    0: 'KILL_THREAD',
    196608: 'TRAP',
    327680: 'ERRNO',
    2146435072: 'TRACE',
    2147221504: 'LOG',
    2147418112: 'ALLOW',
  };
  const name = names[(answer & 0xffff0000) >>> 0];
  const data = answer & 0xffff;
  if (name === undefined) return `0x${answer.toString(16)}`;
  return data === 0 ? name : `${name} ${data}`;
}

/** One of all that a filter can answer: those with the highest bit set, too. */
export function drawAnswer(): number {
  const kinds = [
    errno(draw.int(1, 4095)),
    errno(draw.int(1, 4095)),
    ALLOW,
    KILL,
    0x7ffc0000,
    0x7ff00000 + draw.int(1, 9),
  ];
  return draw.pick(kinds);
}

const codes = new Map([
  [bpf.LOAD, 'LOAD'],
  [bpf.AND, 'AND'],
  [bpf.JA, 'JA'],
  [bpf.JEQ, 'JEQ'],
  [bpf.JGT, 'JGT'],
  [bpf.JGE, 'JGE'],
  [bpf.JSET, 'JSET'],
  [bpf.RET, 'RET'],
]);

/**
 * A program that the kernel would take: seccomp_check_filter of kernel/seccomp.c and bpf_check_classic of net/core/filter.c.
 * @throws Error that says where it would not.
 */
export function checked(answer: unknown): bpf.Instruction[] {
  const program = answer as bpf.Instruction[];
  if (!Array.isArray(program) || program.length === 0)
    throw new Error(`assembleFilter should return a list of instructions; it returned ${JSON.stringify(answer)}.`);
  if (program.length > bpf.MOST_INSTRUCTIONS)
    throw new Error(`The program has ${program.length} instructions; the kernel takes ${bpf.MOST_INSTRUCTIONS}.`);
  for (const [at, instruction] of program.entries()) {
    const { code, jt, jf, k } = instruction ?? {};
    const name = codes.get(code);
    const where = `Instruction ${at} of ${program.length}, ${name ?? JSON.stringify(instruction)} jt ${jt} jf ${jf} k ${k},`;
    if (name === undefined) throw new Error(`${where} has an unknown code.`);
    for (const [field, value, most] of [
      ['jt', jt, 255],
      ['jf', jf, 255],
      ['k', k, 0xffffffff],
    ] as const)
      if (!Number.isInteger(value) || value < 0 || value > most)
        throw new Error(`${where} has ${field} = ${value}; it must be in 0…${most}.`);
    const furthest = code === bpf.JA ? k : Math.max(jt, jf);
    if (code !== bpf.RET && at + 1 + furthest >= program.length) throw new Error(`${where} leads past the end.`);
    if (code === bpf.LOAD && (k % 4 !== 0 || k >= bpf.SECCOMP_DATA_BYTES))
      throw new Error(`${where} reads a word that struct seccomp_data does not have.`);
  }
  return program;
}

const MOST_SHOWN = 16;

/** @throws Error that says the call, both answers, and the instructions on the way. */
export function expectAnswer(program: bpf.Instruction[], call: Partial<SystemCall>, wanted: number, note = ''): void {
  const way: number[] = [];
  // The interpreter asks for each instruction by its place, in the order in which they run.
  const watched = new Proxy(program, {
    get: (target, key) => {
      way.push(Number(key));
      return target[Number(key)];
    },
  });
  const whole = { nr: 0, arch: NATIVE, ...call };
  const { value } = run(watched, whole);
  if (value === wanted) return;
  const args = whole.args?.map((argument, index) => `  argument ${index} = 0x${argument.toString(16)}`) ?? [];
  const shown = way.slice(-MOST_SHOWN).map((at) => {
    const { code, jt, jf, k } = program[at]!;
    const jumps = ['JEQ', 'JGT', 'JGE', 'JSET'].includes(codes.get(code)!) ? `   jt ${jt} jf ${jf}` : '';
    return `  ${at}  ${codes.get(code)} ${k > 9 ? `0x${k.toString(16)}` : k}${jumps}`;
  });
  throw new Error(
    [
      `The answer to call ${whole.nr > 9999 ? `0x${whole.nr.toString(16)}` : whole.nr} by entry 0x${whole.arch.toString(16)}${note && ` (${note})`}`,
      `  should be  ${answerName(wanted)}\n  is         ${answerName(value)}`,
      ...args,
      `The instructions it went through${way.length > MOST_SHOWN ? `, the last ${MOST_SHOWN} of ${way.length}` : ''}:`,
      ...shown,
    ].join('\n'),
  );
}

/** What an entry answers, by the words of the contract. */
export function answerOf({ calls, otherwise }: FilterEntry, nr: number, args: bigint[] = []): number {
  const rules = calls.find(({ number }) => number === nr)?.rules ?? [];
  const fits = ({ conditions }: FilterRule) => conditions.every((condition) => isTrue(condition, args));
  return rules.find(fits)?.answer ?? otherwise.findLast(({ from }) => from <= nr)!.answer;
}

function isTrue({ index, mask, test, value, holds }: ArgumentTest, args: bigint[]): boolean {
  const argument = (args[index] ?? 0n) & mask;
  return (test === 'equal' ? argument === value : argument > value) === holds;
}

export const always = (number: number, answer: number) => ({ number, rules: [{ conditions: [], answer }] });

export function equal(index: number, value: bigint, change: Partial<ArgumentTest> = {}): ArgumentTest {
  return { index, mask: FULL, test: 'equal', value, holds: true, ...change };
}

/** An entry of this machine's own. */
export function native(calls: FilterEntry['calls'], otherwise = ALLOW): FilterEntry {
  return { arch: NATIVE, calls, otherwise: [{ from: 0, answer: otherwise }] };
}

/** Where comparisons of two halves go wrong: at and around the value, with its halves changed one by one. */
export function near(value: bigint): bigint[] {
  const high = 1n << 32n;
  const around = [value, value + 1n, value - 1n, value + high, value - high, value ^ high, value & 0xffffffffn];
  return [...around, value << 32n, value >> 32n, 0n, FULL, draw.bytes(8).readBigUInt64LE()].map((each) => each & FULL);
}

export const drawArguments = () => Array.from({ length: 6 }, () => draw.bytes(8).readBigUInt64LE());

/** The native numbers of those of the names that this machine has. */
export function numbers(...names: string[]): number[] {
  const table = machine.native.syscalls();
  return names.flatMap((name) => table.get(name) ?? []);
}

export const drawNumbers = (count: number, below = 450) => draw.some([...Array(below).keys()], count);

/** One call, whose number is drawn, with one rule that has one condition. */
export function oneCondition(condition: ArgumentTest): FilterEntry {
  return native(
    [{ number: draw.int(1, 400), rules: [{ conditions: [condition], answer: drawAnswer() }] }],
    errno(4095),
  );
}

/** Try an entry of `oneCondition` on arguments around its value. */
export function tryOneCondition(program: bpf.Instruction[], entry: FilterEntry, condition: ArgumentTest): void {
  const { index, mask, test, value, holds } = condition;
  const { number } = entry.calls[0]!;
  const hex = (word: bigint) => `0x${word.toString(16)}`;
  const note = `argument ${index} & ${hex(mask)} ${test} ${hex(value)}, holds ${holds}`;
  for (const argument of near(value)) {
    const args = drawArguments().with(index, argument);
    expectAnswer(program, { nr: number, args }, answerOf(entry, number, args), note);
  }
  expectAnswer(program, { nr: number + 1, args: drawArguments() }, errno(4095), 'which is not listed');
}

/** Values at the edges of the halves, and two drawn ones. */
export function words(): bigint[] {
  const drawn = draw.bytes(8).readBigUInt64LE();
  return [0n, 1n, 0x7fffffffn, 0xffffffffn, 0x100000000n, 0x8000000000000000n, FULL - 1n, drawn, drawn >> 40n];
}

/** Rules on small values, so that each of several fits now and then. */
export function drawRules(count: number, conditions: () => number): FilterRule[] {
  const small = () => equal(draw.int(0, 3), BigInt(draw.int(0, 2)));
  return Array.from({ length: count }, () => ({
    conditions: Array.from({ length: conditions() }, () => ({
      ...small(),
      test: draw.pick(['equal', 'greater'] as const),
      holds: draw.boolean(),
    })),
    answer: drawAnswer(),
  }));
}
