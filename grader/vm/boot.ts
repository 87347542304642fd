/** Boots a virtual machine on the host's own files, runs one command in it, and switches it off. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { keepBuild } from './build-copy.ts';
import { initramfs } from './initramfs.ts';
import { type Kernel, obtainKernel } from './kernel.ts';
import { closePort, openPort } from './ports.ts';
import { makeScratchDisk } from './scratch-disk.ts';
import { shareFiles } from './shared-files.ts';
import { findTools, type VmTools } from './tools.ts';
import { VmUnavailable } from './unavailable.ts';

export interface VmOptions {
  /** For the guest's /bin/sh, run as root. Its standard input is empty, its output no terminal. */
  command: string;
  /** The directory it runs in: the same path as on the host, seen read-only with a throw-away layer above. This repository by default. */
  share?: string;
  /** Added to PATH and HOME, which are all it has. */
  env?: Record<string, string>;
  /** From the start of QEMU to its end, in milliseconds; then it is killed. Default 120,000. */
  timeoutMs?: number;
  /** The guest's memory. At least 256; default 1024. */
  memoryMiB?: number;
  /** Default 2. */
  cpus?: number;
  /** Kills the machine; `runInVm` then throws VmFailed. */
  signal?: AbortSignal;
  /** Gets the command's output as it comes. */
  onOutput?: (chunk: Buffer) => void;
  /** Gets the kernel's console as it comes. */
  onConsole?: (chunk: Buffer) => void;
  /** Called with QEMU's pid once the command is about to run. */
  onReady?: (pid: number) => void;
}

export interface VmResult {
  /** The command's own: 0…255, as a shell has it. */
  exitCode: number;
  /** Standard output and error, in the order they were written. */
  output: string;
  /** From the start of QEMU until the command was about to run. */
  bootMs: number;
  /** From the start of QEMU until its end. */
  totalMs: number;
  guestKernel: string;
}

/** The machine ran but did not get to the command's end. `output` and `console` are what there was until then. */
export class VmFailed extends Error {
  override name = 'VmFailed';
  readonly output: string;
  readonly console: string;
  constructor(message: string, output: string, console: string) {
    super(message);
    this.output = output;
    this.console = console;
  }
}

const REPOSITORY = dirname(dirname(import.meta.dirname));

/** Why this host cannot boot a virtual machine, or null if it can. Fetches the kernel if it is not there yet. */
export function vmUnavailable(): string | null {
  try {
    obtainKernel(findTools().busybox);
    return null;
  } catch (error) {
    if (error instanceof VmUnavailable) return error.message;
    throw error;
  }
}

function qemuArguments(options: {
  kernel: Kernel;
  initrd: string;
  disk: string;
  memoryMiB: number;
  cpus: number;
  files: string;
  output: string;
  status: string;
}): string[] {
  const { kernel, initrd, disk, memoryMiB, cpus, files, output, status } = options;
  return [
    // Emulation, not KVM: nested KVM hangs on some hosts, and a slow machine is better than none.
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', String(cpus), '-m', `${memoryMiB}M`],
    // virtiofsd reads and writes the guest's memory itself.
    ...['-object', `memory-backend-memfd,id=memory,size=${memoryMiB}M,share=on`],
    ...['-machine', 'q35,memory-backend=memory,usb=off,vmport=off'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-nic', 'none', '-serial', 'stdio'],
    ...['-kernel', kernel.image, '-initrd', initrd],
    ...['-append', 'console=ttyS0 quiet panic=-1 cgroup_no_v1=all'],
    ...['-chardev', `socket,id=files,path=${files}`, '-device', 'vhost-user-fs-pci,chardev=files,tag=host'],
    // Thrown away with the machine, so it never has to reach the host's disk.
    ...['-drive', `file=${disk},if=virtio,format=raw,cache=unsafe`],
    ...['-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=output,path=${output}`, '-device', 'virtserialport,chardev=output,name=skiff.output'],
    ...['-chardev', `socket,id=status,path=${status}`, '-device', 'virtserialport,chardev=status,name=skiff.status'],
  ];
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** What one run has on the host is in `directory` or a child of this process, and no child is left when this returns. */
async function bootIn(directory: string, tools: VmTools, options: VmOptions): Promise<VmResult> {
  const { command, share = REPOSITORY, timeoutMs = 120_000, memoryMiB = 1024, cpus = 2 } = options;
  const kernel = obtainKernel(tools.busybox);
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: '/root', ...options.env };
  const initrd = join(directory, 'initrd');
  writeFileSync(initrd, initramfs(kernel, tools.busybox, { command, cwd: share, env }));
  const disk = makeScratchDisk(directory);

  const texts = { output: '', status: '', console: '' };
  let started = performance.now();
  let bootMs: number | undefined;
  let qemu: ChildProcess | undefined;
  const output = await openPort(join(directory, 'output.sock'), (chunk) => {
    texts.output += chunk.toString('latin1');
    options.onOutput?.(chunk);
  });
  const status = await openPort(join(directory, 'status.sock'), (chunk) => {
    texts.status += chunk.toString();
    if (bootMs === undefined && texts.status.includes('ready')) {
      bootMs = performance.now() - started;
      options.onReady?.(qemu?.pid ?? 0);
    }
  });
  const paths = [REPOSITORY, share, process.execPath, kernel.modules];
  const files = await shareFiles(tools, directory, paths, keepBuild(REPOSITORY, directory));
  try {
    const line = qemuArguments({
      kernel,
      initrd,
      disk,
      memoryMiB,
      cpus,
      files: files.socket,
      output: output.socket,
      status: status.socket,
    });
    started = performance.now();
    const machine = spawn('setpriv', ['--pdeathsig', 'KILL', tools.qemu, ...line], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    qemu = machine;
    for (const stream of [machine.stdout, machine.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        texts.console += chunk.toString();
        options.onConsole?.(chunk);
      });
    }
    const killed = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(options.signal ? [options.signal] : [])]);
    killed.addEventListener('abort', () => machine.kill('SIGKILL'), { once: true });
    if (killed.aborted) machine.kill('SIGKILL');
    await once(machine, 'close');
    const totalMs = performance.now() - started;
    await Promise.all([closePort(output), closePort(status)]);
    const text = Buffer.from(texts.output, 'latin1').toString();
    if (killed.aborted && machine.signalCode === 'SIGKILL') {
      throw new VmFailed(`The virtual machine was killed after ${Math.round(totalMs)} ms.`, text, texts.console);
    }
    const said = /^ready (\S+)\nexit (\d+)$/m.exec(texts.status);
    if (said === null || bootMs === undefined) {
      const last = texts.console.trim().split('\n').slice(-5).join('\n');
      throw new VmFailed(
        `The virtual machine ended before the command did. Its console’s end:\n${last}`,
        text,
        texts.console,
      );
    }
    return { exitCode: Number(said[2]), output: text, bootMs, totalMs, guestKernel: said[1]! };
  } finally {
    await kill(qemu);
    await kill(files.server);
    rmdirSync(files.view);
    for (const port of [output, status]) port.server.close();
  }
}

/**
 * Boot a virtual machine with a pure cgroup v2 and every controller, run `command` in it as root, and switch it off.
 * It sees the host's files at their own paths; what it changes is gone with it.
 * @throws VmUnavailable when this host cannot boot one; VmFailed when the command did not come to its end.
 */
export async function runInVm(options: VmOptions): Promise<VmResult> {
  const tools = findTools();
  const directory = mkdtempSync(join(tmpdir(), 'skiff-vm-'));
  try {
    return await bootIn(directory, tools, options);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
