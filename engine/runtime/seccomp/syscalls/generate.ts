/**
 * Writes the tables beside it from the kernel's own headers, by the C preprocessor:
 *   npx tsx engine/runtime/seccomp/syscalls/generate.ts ARM_INCLUDE
 * on an x86-64 machine with a C compiler and linux-libc-dev. ARM_INCLUDE is a directory with 32-bit ARM's asm/unistd.h:
 * usr/arm-linux-gnueabihf/include of Debian's package linux-libc-dev-armhf-cross, which need not be installed.
 */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** Calls younger than the headers this was last run with. Since Linux 5.0 a new one has the same number everywhere. */
const later = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
  listns: 470,
};

/** arch/arm64/include/uapi/asm/unistd.h: which of the generic calls arm64 has. */
const ARM64_WANTS = ['RENAMEAT', 'NEW_STAT', 'SET_GET_RLIMIT', 'TIME32_SYSCALLS', 'SYS_CLONE3', 'MEMFD_SECRET'];
const X32_SYSCALL_BIT = 0x40000000;
const WIDTH = 118;

interface Table {
  file: string;
  variable: string;
  header: string;
  flags?: string[];
  more?: Record<string, number>;
  /** Younger calls that it lacks all the same. */
  lacks?: (keyof typeof later)[];
}

const tables: Table[] = [
  { file: 'x86-64', variable: 'x86_64', header: 'asm/unistd_64.h', more: { uretprobe: 335 } },
  { file: 'x86', variable: 'x86', header: 'asm/unistd_32.h' },
  {
    file: 'x32',
    variable: 'x32',
    header: 'asm/unistd_x32.h',
    flags: ['-D__X32_SYSCALL_BIT=0x40000000'],
    lacks: ['map_shadow_stack'],
  },
  {
    file: 'aarch64',
    variable: 'aarch64',
    header: 'asm-generic/unistd.h',
    flags: ARM64_WANTS.map((name) => `-D__ARCH_WANT_${name}`),
  },
  { file: 'arm', variable: 'arm', header: 'asm/unistd.h', flags: ['-D__ARM_EABI__', `-I${process.argv[2]}`] },
];

function definitions({ header, flags = [] }: Table): Map<string, string> {
  const source = `#include <${header}>\n`;
  const output = execFileSync('cc', ['-E', '-dM', ...flags, '-'], { input: source, encoding: 'utf8' });
  return new Map([...output.matchAll(/^#define (__\w+) (.+)$/gm)].map(([, name, value]) => [name!, value!]));
}

/** `(__NR_SYSCALL_BASE+ 5)`, another name, or a number. */
function evaluate(expression: string, defined: Map<string, string>): number {
  return expression
    .replaceAll(/[()]/g, '')
    .split('+')
    .map((term) => term.trim())
    .reduce((sum, term) => {
      if (/^(0x[0-9a-f]+|\d+)$/i.test(term)) return sum + Number(term);
      const value = defined.get(term);
      if (value === undefined) throw new Error(`${expression}: what is ${term}?`);
      return sum + evaluate(value, defined);
    }, 0);
}

function generate(table: Table): void {
  const defined = definitions(table);
  const calls: Record<string, number> = { ...later, ...table.more };
  for (const name of table.lacks ?? []) delete calls[name];
  for (const [name, expression] of defined) {
    const call = /^__(?:NR|ARM_NR)_([a-z_]\w*)$/.exec(name)?.[1];
    if (call === undefined || ['syscalls', 'arch_specific_syscall'].includes(call)) continue;
    const number = evaluate(expression, defined) % X32_SYSCALL_BIT;
    if (calls[call] !== undefined && calls[call] !== number) throw new Error(`${table.file}: ${call} is ${number}.`);
    calls[call] = number;
  }
  const entries = Object.entries(calls).sort(([a, x], [b, y]) => x - y || a.localeCompare(b));
  const text = [
    `/** Written by generate.ts from ${table.header} of linux-libc-dev. */`,
    `export const ${table.variable} = \``,
    ...fill(entries.map(([name, number]) => `${name} ${number}`)),
    '`;',
    '',
  ].join('\n');
  writeFileSync(path.join(path.dirname(process.argv[1]!), `${table.file}.ts`), text);
}

function fill(words: string[]): string[] {
  const lines = [''];
  for (const word of words) {
    const last = lines[lines.length - 1]!;
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + word.length + 2 > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines;
}

if (!process.argv[2]) throw new Error('Name the directory with the headers of 32-bit ARM; see the top of this file.');
for (const table of tables) generate(table);
