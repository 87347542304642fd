/**
 * Time as the judge counts it: what passes while something could be done about it. The time that the judge or a sandbox
 * stood in the queue for a processor is the machine's, not the submission's; time it ran, slept or was frozen is its own.
 * Linux documentation, scheduler/sched-stats, "/proc/<pid>/schedstat".
 */

import fs from 'node:fs';
import os from 'node:os';

/** A look costs some milliseconds, so no two are closer than this. */
const BETWEEN_LOOKS = 100;
/** However busy the machine is, time passes at this rate: grading has to come to an end. */
const SLOWEST = 0.1;

export interface Look {
  at: number;
  idle: number;
  /** Nanoseconds of each thread. */
  threads: Map<string, { ran: number; waited: number }>;
  /** Which of them are the judge's. */
  judge: Set<string>;
}

let own = 0;
let last: Look | undefined;

/** First processes of the sandboxes in use. Where none is named, whatever runs below this process is looked at. */
export const inUse = new Set<number>();

/** @returns a function that says how many milliseconds of counted time have passed since now. */
export function stopwatch(): () => number {
  const start = advance();
  return () => advance() - start;
}

/** Wait until `promise` settles, or for `patience` milliseconds of counted time. @throws what `late` makes. */
export async function within<T>(promise: Promise<T>, patience: number, late: () => Error): Promise<T> {
  const elapsed = stopwatch();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const look = () => {
      const left = patience - elapsed();
      if (left <= 0) reject(late());
      else timer = setTimeout(look, Math.min(Math.max(left, BETWEEN_LOOKS), 1_000));
    };
    timer = setTimeout(look, Math.min(patience, 250));
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function advance(): number {
  const now = performance.now();
  if (last !== undefined && now - last.at < BETWEEN_LOOKS) return own + (now - last.at);
  const next = look(now);
  if (last !== undefined) own += (next.at - last.at) * rate(last, next);
  last = next;
  return own;
}

/** What part of the time between two looks counts. */
export function rate(before: Look, after: Look, processors = os.availableParallelism()): number {
  const passed = after.at - before.at;
  // With a processor at leisure nobody waits but by a limit of his own making.
  const idle = (after.idle - before.idle) / passed;
  const busy = 1 - Math.min(1, Math.max(0, idle - 0.1 * processors));
  let [ran, waited, judgeWaited] = [0, 0, 0];
  for (const [thread, seen] of after.threads) {
    const earlier = before.threads.get(thread) ?? { ran: 0, waited: 0 };
    const stood = (seen.waited - earlier.waited) / 1e6;
    if (after.judge.has(thread)) judgeWaited = Math.max(judgeWaited, stood);
    else {
      ran += (seen.ran - earlier.ran) / 1e6;
      waited = Math.max(waited, stood);
    }
  }
  const excused = Math.max(judgeWaited, busy * waited);
  return Math.min(1, Math.max(SLOWEST, ran / passed, 1 - excused / passed));
}

function look(at: number): Look {
  const threads = new Map<string, { ran: number; waited: number }>();
  const judge = new Set<string>();
  for (const [thread, seen] of threadsOf(process.pid)) {
    threads.set(thread, seen);
    judge.add(thread);
  }
  const pids = inUse.size === 0 ? below(process.pid) : [...inUse].flatMap((pid) => [pid, ...below(pid)]);
  for (const pid of pids) for (const [thread, seen] of threadsOf(pid)) threads.set(thread, seen);
  return { at, idle: idleMilliseconds(), threads, judge };
}

const WORK = 20_000_000;
/** Milliseconds that a usual processor takes for WORK, generously. */
const USUAL = 100;
let slower: number | undefined;

/** How many times slower than usual this machine is, 1 to 20, whatever else it does: an emulated one is. */
export function slowness(): number {
  if (slower !== undefined) return slower;
  const before = process.cpuUsage();
  let bits = 1;
  for (let n = 0; n < WORK; n++) bits = (bits ^ (bits << 5) ^ (n >>> 3)) | 0;
  const used = process.cpuUsage(before);
  slower = Math.min(20, Math.max(1, (used.user + used.system) / 1000 / USUAL + (bits === 0 ? 1e-9 : 0)));
  return slower;
}

/** Of all processors together. */
function idleMilliseconds(): number {
  return os.cpus().reduce((sum, { times }) => sum + times.idle, 0);
}

function below(pid: number): number[] {
  const found: number[] = [];
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
    for (const task of names(`/proc/${next}/task`))
      for (const child of text(`/proc/${next}/task/${task}/children`).split(' ').filter(Boolean).map(Number)) {
        found.push(child);
        waiting.push(child);
      }
  return found;
}

function* threadsOf(pid: number): Generator<[string, { ran: number; waited: number }]> {
  for (const thread of names(`/proc/${pid}/task`)) {
    const [ran, waited] = text(`/proc/${pid}/task/${thread}/schedstat`).split(' ').map(Number);
    if (ran !== undefined && waited !== undefined) yield [thread, { ran, waited }];
  }
}

function names(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return []; // It has ended.
  }
}

function text(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
