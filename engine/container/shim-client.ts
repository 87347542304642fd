import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { openUnwritable } from '#kernel/unwritable';
import type {
  Exited,
  Greeting,
  OutOfMemory,
  ShimEvent,
  ShimFailure,
  ShimMethod,
  ShimMethods,
} from '../runtime/shim/protocol.ts';
import { readLines } from './lines.ts';
import { socketAddress } from './socket-address.ts';

/** The shim said no. What went wrong and what it means is in `failure`. */
export class ShimError extends Error {
  override readonly name = 'ShimError';
  readonly failure: ShimFailure;

  constructor(failure: ShimFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

export function isShimFailure(error: unknown, kind: ShimFailure['kind']): boolean {
  return error instanceof ShimError && error.failure.kind === kind;
}

export interface ShimOptions {
  /** The shim's bundle. */
  program: string;
  socket: string;
  /** Where the shim keeps what must outlive its clients. */
  runDirectory: string;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

interface Connection {
  socket: net.Socket;
  pending: Map<number, Pending>;
}

/**
 * One thread, so that it can fork; a small young generation, since every page it has is copied for every child; and the
 * program's text on huge pages where the kernel has them (Node says nothing where it has not): a child then has one
 * page fault for what would be hundreds.
 */
const SHIM_FLAGS = ['--single-threaded', '--v8-pool-size=0', '--max-semi-space-size=1', '--use-largepages=silent'];
/** In the run directory: the shim that was started last. */
const PID_FILE = 'shim.pid';
/** How long a new shim may take to listen, in milliseconds: it takes 100 where nothing else runs, and 100 times that on an emulated machine under load. */
const PATIENCE = 60_000;

/** It has ended while it was asked, and with it all that it ran. */
export class ShimGone extends Error {
  override readonly name = 'ShimGone';

  constructor() {
    super('The shim has gone.');
  }
}

/**
 * The one connection to the shim. Emits `exit` for every process that ended, `oom` for a container that ran out of memory, and `lost` when the shim has gone without
 * being told to: whatever it ran has died with it.
 */
export class ShimClient extends EventEmitter<{ exit: [Exited]; oom: [OutOfMemory]; lost: [] }> {
  readonly #options: ShimOptions;
  #connection: Connection | null = null;
  #connecting: Promise<Connection> | null = null;
  #nextId = 1;
  #closed = false;

  constructor(options: ShimOptions) {
    super();
    this.#options = options;
  }

  /** Connect to a shim that is there already. False when there is none. */
  async reconnect(): Promise<boolean> {
    try {
      this.#connecting ??= this.#open().then((socket) => this.#take(socket));
      await this.#connecting;
      return true;
    } catch (error) {
      this.#connecting = null;
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  /** Ask the shim, which is started if there is none. @throws ShimError, or Error when there can be no shim */
  async request<M extends ShimMethod>(method: M, params: ShimMethods[M]['params']): Promise<ShimMethods[M]['result']> {
    const connection = this.#connection ?? (await this.#connect());
    const id = this.#nextId++;
    return await new Promise((resolve, reject) => {
      connection.pending.set(id, { resolve: (result) => resolve(result as ShimMethods[M]['result']), reject });
      connection.socket.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  /** A connection that carries the streams of a process. @throws ShimError when it has none open */
  async attach(greeting: Extract<Greeting, { role: 'attach' }>): Promise<net.Socket> {
    if (!this.#connection) await this.#connect();
    const socket = await this.#open();
    try {
      socket.write(`${JSON.stringify(greeting)}\n`);
      const answer = (await readLine(socket)) as { attached?: true; error?: ShimFailure };
      if (answer.error) throw new ShimError(answer.error);
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** End the shim if nothing runs in it; leave it alone if something does. */
  async shutdown(): Promise<void> {
    this.#closed = true;
    // One that is only just being started would wait for a client that never comes.
    const connection = await this.#connecting?.catch(() => null);
    if (!connection) return;
    await this.request('shutdown', {}).catch(() => {});
    connection.socket.destroy();
  }

  get connected(): boolean {
    return this.#connection !== null;
  }

  #connect(): Promise<Connection> {
    if (this.#closed) return Promise.reject(new Error('The daemon is ending, and asks the shim for no more.'));
    this.#connecting ??= this.#openOrSpawn()
      .then((socket) => this.#take(socket))
      .catch((error) => {
        this.#connecting = null;
        throw error;
      });
    return this.#connecting;
  }

  async #openOrSpawn(): Promise<net.Socket> {
    try {
      return await this.#open();
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    return await this.#spawn();
  }

  async #open(): Promise<net.Socket> {
    const address = socketAddress(this.#options.socket);
    const socket = net.connect({ path: address.path, allowHalfOpen: true });
    try {
      await once(socket, 'connect');
    } finally {
      address.release();
    }
    socket.on('error', () => {});
    return socket;
  }

  /** In a session of its own, so that what ends the daemon's terminal does not end containers. */
  async #spawn(): Promise<net.Socket> {
    const { program, socket, runDirectory } = this.#options;
    this.#endForsaken();
    const log = path.join(runDirectory, 'shim.log');
    const errors = fs.openSync(log, 'a', 0o600);
    // Run from there at once, the shim need not start twice.
    const node = openUnwritable(process.execPath);
    const child = spawn(`/proc/self/fd/${node}`, [...SHIM_FLAGS, program, socket, runDirectory], {
      argv0: process.execPath,
      detached: true,
      stdio: ['ignore', 'pipe', errors],
      cwd: '/',
      // Of the environment only this: NODE_OPTIONS and the like are not for the process that forks.
      env: { PATH: process.env.PATH },
    });
    for (const fd of [errors, node]) fs.closeSync(fd);
    fs.writeFileSync(path.join(runDirectory, PID_FILE), String(child.pid ?? ''), { mode: 0o600 });
    child.unref();
    // It prints one line when it listens, and closes its standard output.
    const ready = once(child.stdout!, 'data');
    const ended = once(child, 'exit').then(([code, signal]) => {
      const said = fs.readFileSync(log, 'utf8').trim().slice(-2000);
      throw new Error(`The shim (${program}) did not start: it ended with ${signal ?? `exit code ${code}`}. ${said}`);
    });
    await Promise.race([ready, ended, fail(PATIENCE, `The shim (${program}) did not start in time; see ${log}.`)]);
    ended.catch(() => {});
    ready.catch(() => {});
    return await this.#open();
  }

  /** A shim whose daemon died while it was starting: nobody has its socket, and so nobody ever will. */
  #endForsaken(): void {
    const { socket, runDirectory } = this.#options;
    try {
      const pid = Number(fs.readFileSync(path.join(runDirectory, PID_FILE), 'utf8'));
      const [, ...args] = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (pid > 1 && args.includes(socket)) process.kill(pid, 'SIGKILL');
    } catch {
      // There is none.
    }
  }

  #take(socket: net.Socket): Connection {
    const connection: Connection = { socket, pending: new Map() };
    socket.write(`${JSON.stringify({ role: 'control' } satisfies Greeting)}\n`);
    readLines(socket, (line) => this.#receive(connection, JSON.parse(line)));
    // Half-open is for attached streams; here the end of one side is the end.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      this.#connection = null;
      this.#connecting = null;
      for (const { reject } of connection.pending.values()) reject(new ShimGone());
      if (!this.#closed) this.emit('lost');
    });
    this.#connection = connection;
    return connection;
  }

  #receive(connection: Connection, message: { id: number; result?: unknown; error?: ShimFailure } | ShimEvent): void {
    if ('event' in message) {
      if (message.event === 'oom') this.emit('oom', message);
      else this.emit('exit', message);
      return;
    }
    const pending = connection.pending.get(message.id);
    connection.pending.delete(message.id);
    if (message.error) pending?.reject(new ShimError(message.error));
    else pending?.resolve(message.result);
  }
}

function fail(milliseconds: number, message: string): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(message)), milliseconds).unref();
  });
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** The first line of a stream; what comes after it stays in the stream. */
async function readLine(socket: net.Socket): Promise<unknown> {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      if (socket.readableEnded || socket.destroyed) throw new ShimGone();
      await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
      continue;
    }
    const end = chunk.indexOf(10);
    if (end === -1) {
      chunks.push(chunk);
      continue;
    }
    chunks.push(chunk.subarray(0, end));
    if (end + 1 < chunk.length) socket.unshift(chunk.subarray(end + 1));
    return JSON.parse(Buffer.concat(chunks).toString());
  }
}
