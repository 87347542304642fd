/** The entries into one kernel: its own, and those for programs built for its 32-bit relatives. */

import { aarch64 } from './syscalls/aarch64.ts';
import { arm } from './syscalls/arm.ts';
import { x32 } from './syscalls/x32.ts';
import { x86 } from './syscalls/x86.ts';
import { x86_64 } from './syscalls/x86-64.ts';

/** Every architecture the specification has a name for. config-linux.md, "Seccomp". */
export const architectureNames = [
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
  'SCMP_ARCH_PARISC',
  'SCMP_ARCH_PARISC64',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_LOONGARCH64',
] as const;
export type ArchitectureName = (typeof architectureNames)[number];

export interface Architecture {
  name: ArchitectureName;
  /** AUDIT_ARCH_… as the kernel puts it into seccomp_data.arch. linux/audit.h. */
  audit: number;
  /** How many bits of an argument register count. */
  bits: 32 | 64;
  /** What is or'ed to every number. x32 shares AUDIT_ARCH_X86_64 and differs in this bit alone. */
  numberBit: number;
  /** Numbers by name, without `numberBit`. */
  syscalls(): Map<string, number>;
}

export interface Machine {
  /** As `process.arch` and Docker's profiles (Go) call it. */
  node: 'x64' | 'arm64';
  go: 'amd64' | 'arm64';
  native: Architecture;
  relatives: Architecture[];
}

export const X32_SYSCALL_BIT = 0x40000000;

/** Tables are read when they are first needed: a start that compiles no filter pays nothing for them. */
function architecture(
  name: ArchitectureName,
  audit: number,
  bits: 32 | 64,
  table: string,
  numberBit = 0,
): Architecture {
  let calls: Map<string, number> | undefined;
  const read = () => new Map([...table.matchAll(/(\w+) (\d+)/g)].map(([, call, number]) => [call!, Number(number)]));
  return {
    name,
    audit,
    bits,
    numberBit,
    syscalls: () => {
      calls ??= read();
      return calls;
    },
  };
}

export const machines: Machine[] = [
  {
    node: 'x64',
    go: 'amd64',
    native: architecture('SCMP_ARCH_X86_64', 0xc000003e, 64, x86_64),
    relatives: [
      architecture('SCMP_ARCH_X86', 0x40000003, 32, x86),
      architecture('SCMP_ARCH_X32', 0xc000003e, 64, x32, X32_SYSCALL_BIT),
    ],
  },
  {
    node: 'arm64',
    go: 'arm64',
    native: architecture('SCMP_ARCH_AARCH64', 0xc00000b7, 64, aarch64),
    relatives: [architecture('SCMP_ARCH_ARM', 0x40000028, 32, arm)],
  },
];

/** The machine this runs on. @throws Error on one that filters cannot be made for. */
export function thisMachine(): Machine {
  const machine = machines.find(({ node }) => node === process.arch);
  if (machine === undefined)
    throw new Error(`Seccomp filters are made for x86-64 and arm64, and this is ${process.arch}; run unconfined.`);
  return machine;
}
