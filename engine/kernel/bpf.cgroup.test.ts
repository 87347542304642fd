import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as bpf from './bpf.ts';
import { getCapabilities, setCapabilities } from './credentials.ts';
import { close, O_DIRECTORY, O_RDONLY, open } from './descriptors.ts';
import { KernelError } from './errors.ts';
import { rawSystemCall } from './libc.ts';
import { getRlimit, setRlimit } from './rlimits.ts';

const type = bpf.BPF_PROG_TYPE_CGROUP_DEVICE;
const setAnswer = { opcode: 0xb7, immediate: 1 };
const exit = { opcode: 0x95 };
const isRoot = process.getuid?.() === 0;
const mountPoint = /^\d+ \d+ \S+ \/ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1];

const idOf = (program: number) =>
  Number(/prog_id:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${program}`, 'utf8'))![1]);

/** Whether the kernel still has the program with this number. */
function exists(id: number): boolean {
  const BPF_PROG_GET_FD_BY_ID = 13;
  const attr = Buffer.alloc(128);
  attr.writeUInt32LE(id, 0);
  try {
    close(rawSystemCall('bpf', '', BPF_PROG_GET_FD_BY_ID, attr, attr.length));
    return true;
  } catch (error) {
    if ((error as KernelError).code !== 'ENOENT') throw error;
    return false;
  }
}

function thrown(work: () => unknown): KernelError {
  try {
    work();
  } catch (error) {
    return error as KernelError;
  }
  throw new Error('Nothing was thrown.');
}

test.skipIf(!isRoot)('a program that is loaded is closed by exec', () => {
  const program = bpf.loadProgram(type, 'skiff_test', [setAnswer, exit]);
  try {
    expect(readFileSync(`/proc/self/fdinfo/${program}`, 'utf8')).toMatch(/flags:\s*02\d{6}\n/);
  } finally {
    close(program);
  }
});

test.skipIf(!isRoot || !mountPoint)(
  'an attached program outlives its descriptor and ends with its cgroup',
  async () => {
    const directory = join(mountPoint!, `skiff-bpf-test-${process.pid}`);
    mkdirSync(directory);
    let id: number;
    try {
      const program = bpf.loadProgram(type, 'skiff_test', [setAnswer, exit]);
      id = idOf(program);
      const cgroup = open(directory, O_RDONLY | O_DIRECTORY);
      bpf.attachProgram(cgroup, program, bpf.BPF_CGROUP_DEVICE, bpf.BPF_F_ALLOW_MULTI);
      close(cgroup);
      close(program);
      expect(exists(id)).toBe(true);
    } finally {
      rmdirSync(directory);
    }
    // The kernel takes a cgroup apart after it has been removed.
    await expect.poll(() => exists(id)).toBe(false);
  },
);

test.skipIf(!isRoot)('what the verifier has against a program is in the error', () => {
  const error = thrown(() => bpf.loadProgram(type, 'skiff_test', [exit]));
  expect(error).toBeInstanceOf(KernelError);
  expect(error.code).toBe('EACCES');
  expect(error.message).toContain('R0 !read_ok');
});

test.skipIf(!isRoot)('without its capabilities it is EPERM, and the limit of locked memory is as before', () => {
  const limit = { soft: 4096, hard: getRlimit(0, 'RLIMIT_MEMLOCK').hard };
  const before = { limit: getRlimit(0, 'RLIMIT_MEMLOCK'), capabilities: getCapabilities() };
  const [CAP_SYS_ADMIN, CAP_BPF] = [21n, 39n];
  const { effective } = before.capabilities;
  setRlimit(0, 'RLIMIT_MEMLOCK', limit);
  setCapabilities({ ...before.capabilities, effective: effective & ~(1n << CAP_SYS_ADMIN) & ~(1n << CAP_BPF) });
  try {
    expect(thrown(() => bpf.loadProgram(type, 'skiff_test', [setAnswer, exit])).code).toBe('EPERM');
    expect(getRlimit(0, 'RLIMIT_MEMLOCK')).toEqual(limit);
  } finally {
    setCapabilities(before.capabilities);
    setRlimit(0, 'RLIMIT_MEMLOCK', before.limit);
  }
});

test('a jump that is too far is not cut short', () => {
  const program = [{ opcode: 0x15, destination: 1, offset: 0x8000 }, setAnswer, exit];
  expect(() => bpf.loadProgram(type, 'skiff_test', program)).toThrow(RangeError);
});
