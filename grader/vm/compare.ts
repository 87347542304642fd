/**
 * A virtual machine beside a container of ours, measured on this host: the figures of the lab `what-is-a-container`.
 *
 *     npx tsx grader/vm/compare.ts [--json]
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { IMAGE } from '../bench/engines/engines.ts';
import { pidsNaming, pssMiB } from '../bench/engines/process.ts';
import { type Skiff, startSkiff } from '../bench/engines/skiff.ts';
import { runInVm } from './boot.ts';

const MIB = 2 ** 20;
const REPOSITORY = dirname(dirname(import.meta.dirname));
const SKIFF = join(REPOSITORY, 'skiff');

export interface Boundary {
  /** From the command that starts it until the first output of the shell in it, in milliseconds. */
  firstOutputMs: number;
  /** Until it has ended and is gone. */
  totalMs: number;
  /** What it weighs on the host while it is idle (proportional set size), in bytes. */
  memoryBytes: number;
  /** The kernel that its programs run on: `uname -r` inside. */
  kernel: string;
}

export interface Comparison {
  hostKernel: string;
  vm: Boundary;
  /** Median of five; its engine was running already, as the machine that runs the virtual one was. */
  container: Boundary;
  /** What the daemon and the shim weigh, once, however many containers there are. */
  engineMemoryBytes: number;
  /** A container started inside the virtual machine: both boundaries, one around the other. */
  containerInVm: { kernel: string; exitCode: number };
}

async function measureVm(directory: string): Promise<Boundary> {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = directory;
  try {
    let memoryBytes = 0;
    const started = performance.now();
    let firstOutputMs = 0;
    const { output, totalMs } = await runInVm({
      command: 'uname -r',
      onReady: () => {
        memoryBytes = MIB * pssMiB(pidsNaming(directory));
      },
      onOutput: () => {
        firstOutputMs ||= performance.now() - started;
      },
    });
    return { firstOutputMs, totalMs, memoryBytes, kernel: output.trim() };
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}

async function startContainer(socket: string): Promise<Omit<Boundary, 'memoryBytes'>> {
  const started = performance.now();
  const run = spawn(SKIFF, ['-H', `unix://${socket}`, 'run', '--rm', IMAGE, 'uname', '-r'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let kernel = '';
  let firstOutputMs = 0;
  run.stdout.on('data', (chunk: Buffer) => {
    firstOutputMs ||= performance.now() - started;
    kernel += chunk.toString();
  });
  const [code] = (await once(run, 'close')) as [number | null];
  if (code !== 0) throw new Error(`skiff run ended with ${code}`);
  return { firstOutputMs, totalMs: performance.now() - started, kernel: kernel.trim() };
}

async function measureContainer({ api, pids }: Skiff): Promise<{ container: Boundary; engineMemoryBytes: number }> {
  const id = await api.create({ Image: IMAGE, Cmd: ['sleep', '1000'] });
  await api.start(id);
  const memoryBytes = MIB * pssMiB([await api.pid(id)]);
  const engineMemoryBytes = MIB * pssMiB(pids());
  await api.remove(id);
  const starts: Omit<Boundary, 'memoryBytes'>[] = [];
  for (let round = 0; round < 5; round++) starts.push(await startContainer(api.socket));
  const typical = starts.sort((a, b) => a.totalMs - b.totalMs)[2]!;
  return { container: { ...typical, memoryBytes }, engineMemoryBytes };
}

/**
 * Boot a machine, start containers, and a container in a machine; all are gone afterwards. Takes some 10 s.
 * @throws VmUnavailable when this host cannot boot a virtual machine; Error when our engine does not run here.
 */
export async function compareVmAndContainer(): Promise<Comparison> {
  const directory = mkdtempSync(join(tmpdir(), 'skiff-compare-'));
  try {
    const vm = await measureVm(directory);
    const skiff = await startSkiff(directory);
    const ours = await measureContainer(skiff).finally(skiff.stop);
    const both = await runInVm({
      command: `node .build/default/skiff.cjs --root /tmp/skiff run --rm ${IMAGE} uname -r`,
      timeoutMs: 180_000,
    });
    const containerInVm = { kernel: both.output.trim(), exitCode: both.exitCode };
    return { hostKernel: release(), vm, ...ours, containerInVm };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function describe({ hostKernel, vm, container, engineMemoryBytes, containerInVm }: Comparison): string {
  const row = (name: string, { firstOutputMs, totalMs, memoryBytes, kernel }: Boundary): string =>
    [
      name.padEnd(17),
      `${firstOutputMs.toFixed(0)} ms`.padStart(12),
      `${totalMs.toFixed(0)} ms`.padStart(10),
      `${(memoryBytes / MIB).toFixed(1)} MiB`.padStart(11),
      `  ${kernel}`,
    ].join('');
  return [
    `${''.padEnd(17)}${'first output'.padStart(12)}${'gone'.padStart(10)}${'memory'.padStart(11)}  kernel inside`,
    row('virtual machine', vm),
    row('container', container),
    '',
    `The host's kernel is ${hostKernel}. The engine itself weighs ${(engineMemoryBytes / MIB).toFixed(1)} MiB, once.`,
    `A container inside a virtual machine sees ${containerInVm.kernel}: the machine's kernel.`,
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  const comparison = await compareVmAndContainer();
  console.log(process.argv.includes('--json') ? JSON.stringify(comparison, null, 2) : describe(comparison));
}
