/** The list of allowed devices on cgroup v2, which has no file for it: a program is attached to the cgroup. bpf(2). */

import { readFileSync } from 'node:fs';
import * as bpf from '#kernel/bpf';
import { close, O_DIRECTORY, O_RDONLY, open } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import { blockAllSignals, setSignalMask } from '#kernel/signals';
import type { DeviceRule } from '../spec.ts';
import { deviceProgram } from './device-program.ts';
import { allowsEverything } from './device-rules.ts';

const REFUSAL = 'The devices of the container cannot be limited, so it is not started';
const NEEDS =
  'The engine needs CAP_BPF or CAP_SYS_ADMIN, a seccomp profile around it that lets bpf pass, and a kernel with CONFIG_CGROUP_BPF.';
const WAY_OUT =
  'Run the engine as an ordinary user, or start the container with all devices of the host (--privileged).';

/**
 * Let the kernel apply `rules` to everything in the cgroup `directory` and below, as long as the cgroup exists.
 * @throws KernelError where it cannot be done although the container could use any device of the host.
 */
export function filterDevices(directory: string, rules: DeviceRule[]): void {
  if (allowsEverything(rules) || inUserNamespace()) return;
  try {
    attach(directory, loadedProgram(rules));
  } catch (error) {
    if (!(error instanceof KernelError) || error.syscall !== 'bpf') throw error;
    // A user who is not root and may not do this has to put containers into user namespaces.
    if (error.code === 'EPERM' && process.geteuid?.() !== 0) return;
    // Without CAP_MKNOD it would not be safe either: an image or a volume can bring a node of the host's disk.
    error.message = `${REFUSAL}: ${error.message} ${NEEDS} ${WAY_OUT}`;
    throw error;
  }
}

/** On v1 without the hierarchy that limits devices. @throws Error unless it does no harm. */
export function refuseUnfiltered(rules: DeviceRule[]): void {
  if (allowsEverything(rules) || inUserNamespace()) return;
  throw new Error(`${REFUSAL}: this host has no devices cgroup mounted, so mount it. Or else: ${WAY_OUT}`);
}

/** Rules → the descriptor of their program, oldest use first. Nearly every container has the same rules. */
const loaded = new Map<string, number>();
const MOST_LOADED = 16;

function loadedProgram(rules: DeviceRule[]): number {
  const key = JSON.stringify(rules);
  const program = loaded.get(key) ?? load(rules);
  loaded.delete(key);
  loaded.set(key, program);
  const [oldest] = loaded;
  if (loaded.size > MOST_LOADED && oldest) {
    loaded.delete(oldest[0]);
    close(oldest[1]);
  }
  return program;
}

/** Without signals: one that comes, such as that of another container's end, makes the verifier give up with EAGAIN. */
function load(rules: DeviceRule[]): number {
  const code = deviceProgram(rules);
  const mask = blockAllSignals();
  try {
    return bpf.loadProgram(bpf.BPF_PROG_TYPE_CGROUP_DEVICE, 'skiff_devices', code);
  } finally {
    setSignalMask(mask);
  }
}

function attach(directory: string, program: number): void {
  const cgroup = open(directory, O_RDONLY | O_DIRECTORY);
  try {
    // With MULTI the programs of the cgroups above still have their say.
    bpf.attachProgram(cgroup, program, bpf.BPF_CGROUP_DEVICE, bpf.BPF_F_ALLOW_MULTI);
  } finally {
    close(cgroup);
  }
}

/**
 * There nobody can make a device node, or use one of a file system mounted there; and nobody may load a program.
 * The initial user namespace maps every id to itself. user_namespaces(7).
 */
function inUserNamespace(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
}
