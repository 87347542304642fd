/** One probe of a container's health: a further process in it, with an end to its patience. */

import fs from 'node:fs';
import { processStat } from '#kernel/process-stat';
import type { Container } from './container.ts';
import { within } from './ending.ts';
import type { Engine } from './engine.ts';
import { attachToExec, createExec, openExec, startExec, untilExecEnds } from './exec.ts';
import type { HealthCheck, ProbeResult } from './health.ts';
import { now } from './time.ts';

/** Bytes of output that are kept. */
const MOST_OUTPUT = 4096;

/**
 * Run the command of a health check. It never throws: what goes wrong is what the probe says.
 * @param signal ends it before its time, with all that it has started
 */
export async function probe(
  engine: Engine,
  container: Container,
  check: HealthCheck,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const Start = now();
  const { exitCode, output } = await runProbe(engine, container, check, signal).catch((error: Error) => ({
    exitCode: -1,
    output: error.message,
  }));
  return { Start, End: now(), ExitCode: exitCode, Output: output };
}

async function runProbe(engine: Engine, container: Container, { args, timeout }: HealthCheck, signal: AbortSignal) {
  const exec = createExec(engine, container, {
    args,
    env: [],
    cwd: '',
    user: '',
    tty: false,
    privileged: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: '',
    consoleSize: [0, 0],
  });
  await openExec(engine, exec, false);
  const streams = await attachToExec(engine, exec, false);
  let output = Buffer.alloc(0);
  streams.on('data', (chunk: Buffer) => {
    if (output.length < MOST_OUTPUT) output = Buffer.concat([output, chunk]).subarray(0, MOST_OUTPUT);
  });
  const closed = new Promise<void>((resolve) => streams.once('close', resolve));
  streams.on('end', () => streams.end());
  let kill = () => {};
  try {
    await startExec(engine, exec);
    const ended = untilExecEnds(exec);
    const { pid } = exec;
    const startTime = processStat(pid)?.startTime;
    kill = () => {
      // Its number may be another's by now.
      if (exec.state === 'running' && processStat(pid)?.startTime === startTime) killAllOf(pid);
    };
    if (signal.aborted) kill();
    signal.addEventListener('abort', kill);
    if (!(await within(ended, timeout / 1000))) {
      kill();
      await within(ended, KILLED);
      return { exitCode: -1, output: `Health check exceeded timeout (${timeout / 1000}s)` };
    }
    // A child that it has left behind may keep the stream open.
    await within(closed, AFTERWARDS);
    return { exitCode: exec.exitCode ?? -1, output: output.toString() };
  } finally {
    signal.removeEventListener('abort', kill);
    streams.destroy();
  }
}

/** Seconds in which output that was written before the end arrives. */
const AFTERWARDS = 1;
/** Seconds in which what was killed has ended, unless the kernel holds on to it. */
const KILLED = 30;

/** Kill a process with all that it has started: what descends from it, and what stayed in its session. */
function killAllOf(pid: number): void {
  for (let found = familyOf(pid); found.length > 0; found = familyOf(pid))
    for (const each of found)
      try {
        process.kill(each, 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
}

/** Those that have not been killed yet; a killed one is a zombie or gone, and forks no more. */
function familyOf(pid: number): number[] {
  const stats = new Map(
    fs
      .readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const stat = processStat(Number(name));
        return stat === undefined ? [] : [[Number(name), stat] as const];
      }),
  );
  const family = new Set([pid]);
  for (let before = 0; before < family.size; ) {
    before = family.size;
    for (const [each, { parent, session }] of stats) if (family.has(parent) || session === pid) family.add(each);
  }
  return [...family].filter((each) => !'ZXx'.includes(stats.get(each)?.state ?? 'Z') && !isDying(each));
}

const SIGKILL_PENDING = 1n << 8n;

/** Whether it has a SIGKILL to take: nothing of it runs any more. proc_pid_status(5), SigPnd and ShdPnd. */
function isDying(pid: number): boolean {
  try {
    const text = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
    return [...text.matchAll(/^S(?:ig|hd)Pnd:\s*([0-9a-f]+)$/gm)].some(
      ([, pending]) => (BigInt(`0x${pending}`) & SIGKILL_PENDING) !== 0n,
    );
  } catch {
    return true;
  }
}
