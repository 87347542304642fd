/** The library that runc and crun make their filters with, as a second opinion. seccomp_init(3) and its neighbours. */

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { returnValue } from '../actions.ts';
import { machines } from '../architectures.ts';
import { operators } from '../operators.ts';
import { decode, type Instruction } from '#kernel/classic-bpf';
import type { Seccomp } from '../profile.ts';

const ARG_CMP_BYTES = 24; // struct scmp_arg_cmp
const SCMP_FLTATR_CTL_OPTIMIZE = 8;
const SCMP_ARCH_X32 = 0x4000003e;

function open() {
  try {
    return koffi.load('libseccomp.so.2');
  } catch {
    return null;
  }
}

const library = open();

/** Null where it is not installed. */
export const libseccomp = library && bind(library);

function bind(lib: ReturnType<typeof koffi.load>) {
  const init = lib.func('void *seccomp_init(uint32_t)');
  const release = lib.func('void seccomp_release(void *)');
  const archAdd = lib.func('int seccomp_arch_add(void *, uint32_t)');
  const archRemove = lib.func('int seccomp_arch_remove(void *, uint32_t)');
  const attrSet = lib.func('int seccomp_attr_set(void *, int, uint32_t)');
  const ruleAdd = lib.func('int seccomp_rule_add_array(void *, uint32_t, int, unsigned int, const void *)');
  const resolveName = lib.func('int seccomp_syscall_resolve_name(const char *)');
  const exportBpf = lib.func('int seccomp_export_bpf(void *, int)');

  const must = (result: number, what: string) => {
    if (result !== 0) throw new Error(`${what}: ${result}`);
  };

  /** The number of a call on x86-64; negative for calls that only other architectures have; null if it is not known. */
  function numberOf(name: string): number | null {
    const number = resolveName(name);
    return number === -1 ? null : number;
  }

  /** What runc makes of `linux.seccomp`, without the part that it puts in front of it. */
  function compile({ defaultAction, defaultErrnoRet, architectures = [], syscalls }: Seccomp): Instruction[] {
    const otherwise = returnValue(defaultAction, defaultErrnoRet);
    const context = init(otherwise);
    const native = machines.find(({ node }) => node === process.arch)!.native.name;
    try {
      if (!architectures?.includes(native)) must(archRemove(context, 0), 'arch_remove');
      for (const name of architectures ?? []) if (name !== native) must(archAdd(context, token(name)), `arch_add ${name}`);
      attrSet(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
      for (const { names, action, errnoRet, args } of syscalls) {
        const value = returnValue(action, errnoRet);
        if (value === otherwise) continue;
        const all = (args ?? []).map(({ index, op, value, valueTwo }) => {
          const bytes = Buffer.alloc(ARG_CMP_BYTES);
          bytes.writeUInt32LE(index, 0);
          bytes.writeUInt32LE(operators.indexOf(op) + 1, 4);
          bytes.writeBigUInt64LE(BigInt(value), 8);
          bytes.writeBigUInt64LE(BigInt(valueTwo ?? 0), 16);
          return bytes;
        });
        const repeated = new Set(args?.map(({ index }) => index)).size < all.length;
        for (const name of names) {
          const number = numberOf(name);
          if (number === null) continue;
          for (const array of repeated ? all.map((one) => [one]) : [all])
            must(ruleAdd(context, value, number, array.length, Buffer.concat(array)), `rule_add ${name}`);
        }
      }
      return exported(context);
    } finally {
      release(context);
    }
  }

  function exported(context: unknown): Instruction[] {
    const directory = mkdtempSync(join(tmpdir(), 'skiff-libseccomp-'));
    try {
      const file = join(directory, 'program');
      const fd = openSync(file, 'w');
      must(exportBpf(context, fd), 'export_bpf');
      closeSync(fd);
      return decode(readFileSync(file));
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  return { compile, numberOf };
}

function token(name: string): number {
  if (name === 'SCMP_ARCH_X32') return SCMP_ARCH_X32;
  const all = machines.flatMap(({ native, relatives }) => [native, ...relatives]);
  return all.find((architecture) => architecture.name === name)!.audit;
}
