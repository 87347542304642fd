/** Processes of the engines under measurement: starting, finding, weighing and ending them. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, watch } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** Run a program to its end. @throws Error with its last words when it fails. */
export async function run(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0) {
    throw new Error(
      `${basename(command)} ${args.join(' ')}: exit ${code ?? signal}: ${(errors || output).trim().slice(-500)}`,
    );
  }
  return output;
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => resolve(true));
    connection.once('error', () => resolve(false));
    connection.once('connect', () => connection.destroy());
  });
}

/**
 * Start a server that listens on `socket` (in a directory that exists), and wait until it accepts connections.
 * @throws Error with its last words when it ends before, or is silent for 30 s.
 */
export async function startServer(
  command: string,
  args: string[],
  socket: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ChildProcess> {
  const watcher = watch(dirname(socket));
  const server = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-2000);
    });
  }
  const name = basename(command);
  const ended = once(server, 'close').then(() => {
    throw new Error(`${name} ended before it listened: ${words.trim().slice(-500)}`);
  });
  ended.catch(() => {});
  const silent = AbortSignal.timeout(30_000);
  const listens = async (): Promise<void> => {
    while (!existsSync(socket)) await once(watcher, 'change', { signal: silent });
    // Its file is there from bind(2) on; that a process listens on it is not an event.
    while (!(await accepts(socket))) await setTimeout(10, undefined, { signal: silent });
  };
  try {
    await Promise.race([listens(), ended]);
  } catch (error) {
    await stop(server);
    throw silent.aborted ? new Error(`${name} did not listen within 30 s: ${words.trim().slice(-500)}`) : error;
  } finally {
    watcher.close();
  }
  return server;
}

/** Ask a server to end, and make it after 15 s. */
export async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  const patience = new AbortController();
  setTimeout(15_000, undefined, { signal: patience.signal }).then(
    () => server.kill('SIGKILL'),
    () => {},
  );
  await ended;
  patience.abort();
}

/** Pids of the processes whose command line holds `text`, other than this one. */
export function pidsNaming(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Kill what `find` finds until it finds nothing, for at most 10 s. None of them is a child of ours, so there is no event to wait for. */
export async function endAll(find: () => number[]): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const pids = find();
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    }
    await setTimeout(50);
  }
}

/** Proportional set size of the processes together, in MiB. Those that have ended weigh nothing. proc(5), smaps_rollup. */
export function pssMiB(pids: number[]): number {
  const kib = pids.map((pid) => {
    try {
      return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0;
    }
  });
  return kib.reduce((sum, each) => sum + each, 0) / 1024;
}
