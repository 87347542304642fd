/** A shim of one's own, as tests want it: bundled from the sources, in a directory that goes away with it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { sweepCgroups } from '../cgroups/sweep.ts';
import type { ExitStatus } from '../contract/process.ts';
import type { Exited, ProcessKey, ShimEvent, ShimFailure, ShimMethod, ShimMethods, Stdio } from '../shim/protocol.ts';
import type { Process, Spec } from '../spec.ts';

/** What a request was refused with. */
export class Refused extends Error {
  readonly failure: ShimFailure;
  constructor(failure: ShimFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

interface Attached {
  socket: Socket;
  /** What has come until now, headers taken off; for a terminal everything is stdout. */
  stdout(): Buffer;
  stderr(): Buffer;
  /** Everything, when there is no more. */
  ended: Promise<{ stdout: Buffer; stderr: Buffer }>;
  /** Resolves once the text has come on either stream. */
  saw(text: string): Promise<void>;
}

export interface RunResult {
  status: ExitStatus;
  exited: Exited;
  stdout: string;
  stderr: string;
}

export interface TestShim {
  directory: string;
  /** A cgroup path below which the shim's containers are put. */
  cgroups: string;
  process: ChildProcess;
  pid: number;
  call<M extends ShimMethod>(method: M, params: ShimMethods[M]['params']): Promise<ShimMethods[M]['result']>;
  /** The exit event of a process, also if it has come already. */
  exit(key: ProcessKey): Promise<Exited>;
  attach(key: ProcessKey, options?: { stdin?: boolean; terminal?: boolean; stderr?: boolean }): Promise<Attached>;
  /** open, attach, start, and wait for the end. */
  run(spec: Spec, stdio?: Partial<Stdio>): Promise<RunResult>;
  /** open and start; the container runs when this resolves. */
  start(spec: Spec, stdio?: Partial<Stdio>): Promise<{ key: ProcessKey; pid: number }>;
  /** exec and wait for the end. */
  exec(container: string, process: Partial<Process> & { args: string[] }): Promise<RunResult>;
  newName(): string;
  /** What a daemon's end looks like. */
  disconnect(): void;
  /** Ends what runs, ends the shim, and removes what it had. */
  close(): Promise<void>;
}

let counter = 0;

/** Start a shim. `nodeFlags` besides those that every shim has. */
export async function startShim(nodeFlags: string[] = []): Promise<TestShim> {
  const directory = mkdtempSync(join(tmpdir(), 'skiff-shim-'));
  // Root of a user namespace is nobody here, and has to pass through.
  chmodSync(directory, 0o711);
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  const bundle = join(directory, 'shim.cjs');
  buildSync({
    entryPoints: [resolve('engine/runtime/shim/main.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['koffi'],
  });
  mkdirSync(join(directory, 'run'));
  const socketPath = join(directory, 'shim.sock');
  const shim = spawn(
    process.execPath,
    ['--single-threaded', '--v8-pool-size=0', ...nodeFlags, bundle, socketPath, join(directory, 'run')],
    { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
  );
  await once(shim.stdout!, 'data');

  const control = connect(socketPath);
  control.write('{"role":"control"}\n');
  const pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  const exits = new Map<string, Exited>();
  const waiting = new Map<string, (exited: Exited) => void>();
  onLines(control, (line) => {
    const message = JSON.parse(line) as ShimEvent | { id: number; result?: unknown; error?: ShimFailure };
    if ('event' in message && message.event === 'oom') return;
    if ('event' in message) {
      const name = JSON.stringify(message.key);
      waiting.get(name)?.(message);
      exits.set(name, message);
    } else {
      const request = pending.get(message.id);
      pending.delete(message.id);
      if (message.error) request?.reject(new Refused(message.error));
      else request?.resolve(message.result);
    }
  });
  control.on('close', () => {
    for (const { reject } of pending.values()) reject(new Error('The shim has gone.'));
  });
  control.on('error', () => control.destroy());

  let requests = 0;
  const call: TestShim['call'] = (method, params) =>
    new Promise((resolve, reject) => {
      const id = ++requests;
      pending.set(id, { resolve: (result) => resolve(result as never), reject });
      control.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  const exit: TestShim['exit'] = (key) => {
    const name = JSON.stringify(key);
    const known = exits.get(name);
    return known ? Promise.resolve(known) : new Promise((resolve) => waiting.set(name, resolve));
  };

  const attach: TestShim['attach'] = async (key, { stdin = false, terminal = false, stderr = true } = {}) => {
    const socket = connect({ path: socketPath, allowHalfOpen: true });
    socket.write(`${JSON.stringify({ role: 'attach', key, stdin, stdout: true, stderr })}\n`);
    const [first] = (await once(socket, 'data')) as [Buffer];
    const newline = first.indexOf(10);
    const answer = JSON.parse(first.toString('utf8', 0, newline)) as { attached?: true; error?: ShimFailure };
    if (answer.error) throw new Refused(answer.error);
    return collect(socket, first.subarray(newline + 1), terminal);
  };

  const fullStdio = (stdio: Partial<Stdio>): Stdio => ({ terminal: false, stdin: false, stdinOnce: false, ...stdio });
  const self: TestShim = {
    directory,
    cgroups: `/skiff/test-${process.pid}-${++counter}`,
    process: shim,
    pid: shim.pid!,
    call,
    exit,
    attach,
    async run(spec, stdio = {}) {
      const key = { container: containerOf(spec) };
      await call('open', { key, stdio: fullStdio(stdio) });
      const { ended } = await attach(key, { terminal: stdio.terminal });
      try {
        await call('start', { container: key.container, spec });
        const [exited, output] = await Promise.all([exit(key), ended]);
        return { status: exited.status, exited, stdout: String(output.stdout), stderr: String(output.stderr) };
      } finally {
        await call('forget', { key });
      }
    },
    async start(spec, stdio = {}) {
      const key = { container: containerOf(spec) };
      await call('open', { key, stdio: fullStdio(stdio) });
      const { pid } = await call('start', { container: key.container, spec });
      return { key, pid };
    },
    async exec(container, process) {
      const key = { container, exec: `exec-${++counter}` };
      await call('open', { key, stdio: fullStdio({ terminal: process.terminal }) });
      const { ended } = await attach(key, { terminal: process.terminal });
      const defaults: Process = { cwd: '/', env: ['PATH=/bin'], args: [], user: { uid: 0, gid: 0 } };
      await call('exec', { ...key, process: { ...defaults, ...process } });
      const [exited, output] = await Promise.all([exit(key), ended]);
      return { status: exited.status, exited, stdout: String(output.stdout), stderr: String(output.stderr) };
    },
    newName: () => `c${++counter}`,
    disconnect: () => control.destroy(),
    async close() {
      const gone = shim.exitCode === null && shim.signalCode === null ? once(shim, 'exit') : null;
      if (gone && !control.destroyed) {
        const { running } = await call('hello', {});
        for (const { key } of running) {
          await call('signal', { key, signal: 9 });
          await exit(key);
        }
        await call('shutdown', {});
        await gone;
      }
      control.destroy();
      sweepCgroups(self.cgroups);
      const log = join(directory, 'run', 'shim.log');
      const mistakes = existsSync(log) ? readFileSync(log, 'utf8') : '';
      rmSync(directory, { recursive: true, force: true });
      if (mistakes) throw new Error(`The shim noted mistakes of its own:\n${mistakes}`);
    },
  };
  return self;
}

function containerOf({ annotations }: Spec): string {
  return annotations!.container!;
}

function onLines(socket: Socket, use: (line: string) => void): void {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      use(line);
    }
  });
}

function collect(socket: Socket, first: Buffer, terminal: boolean): Attached {
  const chunks: Record<1 | 2, Buffer[]> = { 1: [], 2: [] };
  const watchers = new Set<() => void>();
  let rest = Buffer.alloc(0);
  const text = (stream: 1 | 2) => Buffer.concat(chunks[stream]);
  const take = (chunk: Buffer) => {
    if (terminal) chunks[1].push(chunk);
    else {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 8 && rest.length >= 8 + rest.readUInt32BE(4)) {
        const end = 8 + rest.readUInt32BE(4);
        chunks[rest[0] as 1 | 2].push(rest.subarray(8, end));
        rest = rest.subarray(end);
      }
    }
    for (const watcher of watchers) watcher();
  };
  take(first);
  socket.on('data', take);
  const ended = new Promise<{ stdout: Buffer; stderr: Buffer }>((resolve) => {
    const finish = () => {
      socket.destroy();
      resolve({ stdout: text(1), stderr: text(2) });
    };
    socket.on('end', finish);
    socket.on('error', finish);
  });
  return {
    socket,
    stdout: () => text(1),
    stderr: () => text(2),
    ended,
    saw: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!text(1).includes(wanted) && !text(2).includes(wanted)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
        void ended.then(() => reject(new Error(`Ended without ${wanted}: ${text(1)}${text(2)}`)));
      }),
  };
}
