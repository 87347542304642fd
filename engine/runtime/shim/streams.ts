/** The standard streams of one process: who feeds it, who hears it, and the log that hears everything. */

import { fchownSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Program } from '#contract/process';
import { resizeTerminal } from '#exec';
import { close, pipe } from '#kernel/descriptors';
import type { Streams as LaunchStreams } from '../launch.ts';
import type { ConsoleSize } from '../spec.ts';
import { openMaster, readSource, type Source, writeSink } from './descriptor-socket.ts';
import { frame } from './frame.ts';
import { type Log, openLog } from './log.ts';
import type { OutputName } from './log-entry.ts';
import type { Stdio } from './protocol.ts';

export interface AttachOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** If absent, as fits the process. */
  framed?: boolean;
}

interface Client extends AttachOptions {
  socket: Socket;
  framed: boolean;
}

export class Streams {
  readonly #stdio: Stdio;
  readonly #log: Log | null;
  readonly #clients = new Set<Client>();
  /** Outputs that are not read on before these clients have taken what they were sent. */
  readonly #waiting = new Map<Source, Set<Client>>();
  readonly #sources = new Set<Source>();
  /** The program's own ends; null for a terminal, and once the program has them. */
  #childSide: Program['stdio'] | null = null;
  #sink: Socket | null = null;
  #master: number | null = null;
  /** Set when the process has ended: nobody is waited for then, what is left fits into a pipe. */
  #draining = false;
  #finished = false;
  #resolveEnded: () => void = () => {};
  /** Everything the process wrote is in the log and on its way to the clients. */
  readonly ended = new Promise<void>((resolve) => {
    this.#resolveEnded = resolve;
  });

  /** @throws the file system's error when the log cannot be opened. */
  constructor(stdio: Stdio) {
    this.#stdio = stdio;
    this.#log = stdio.logPath === undefined ? null : openLog(stdio.logPath, stdio.logBound);
    if (!stdio.terminal) this.#openPipes();
  }

  #openPipes(): void {
    const out = pipe();
    const err = pipe();
    this.#read('stdout', out.read);
    this.#read('stderr', err.read);
    const input = this.#stdio.stdin ? pipe() : null;
    if (input) this.#setSink(writeSink(input.write));
    this.#childSide = [input?.read ?? openSync('/dev/null', 'r'), out.write, err.write];
  }

  #read(name: OutputName, fd: number): void {
    const source = readSource(fd, {
      onChunk: (chunk) => this.#distribute(source, name, chunk),
      onEnd: () => this.#sourceEnded(source),
    });
    this.#sources.add(source);
  }

  /** What a launch needs to know. */
  get forLaunch(): LaunchStreams {
    return this.#childSide ?? 'terminal';
  }

  /** Make the program's ends the property of a user, for one who can only change what belongs to its own user namespace. */
  giveTo({ uid, gid }: { uid: number; gid: number }): void {
    for (const fd of this.#childSide?.slice(this.#stdio.stdin ? 0 : 1) ?? []) fchownSync(fd, uid, gid);
  }

  /** The program has its ends: closed here, their end can be seen. `master` is that of its terminal. */
  launched(master: number | null): void {
    this.#closeChildSide();
    if (master === null) return;
    const { source, sink } = openMaster(master, {
      onChunk: (chunk) => this.#distribute(source, 'stdout', chunk),
      onEnd: () => {
        this.#master = null;
        this.#sourceEnded(source);
      },
    });
    this.#master = master;
    this.#sources.add(source);
    this.#setSink(sink);
  }

  /** The process has ended, or was never started. `ended` follows when its output has. */
  processEnded(): void {
    this.#draining = true;
    this.#closeChildSide();
    this.#sink?.destroy();
    for (const source of this.#waiting.keys()) source.resume();
    this.#waiting.clear();
    if (this.#sources.size === 0) this.#finish();
  }

  /** Give up what has not been read, e.g. because a process that got away still holds the other end. */
  abandon(): void {
    for (const source of this.#sources) source.destroy();
  }

  /** The kernel tells the programs on the terminal by SIGWINCH. Without a terminal nothing happens. */
  resize(size: ConsoleSize): void {
    if (this.#master !== null) resizeTerminal(this.#master, size);
  }

  /** Connect a client. Its socket is ended when there is nothing more to hear. */
  attach(socket: Socket, options: AttachOptions): void {
    const client = { ...options, socket, framed: options.framed ?? !this.#stdio.terminal };
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#detach(client));
    socket.on('drain', () => this.#caughtUp(client));
    socket.on('data', (chunk: Buffer) => this.#feed(client, chunk));
    socket.on('end', () => this.#inputEnded(client));
    if (this.#finished) {
      socket.destroySoon();
      return;
    }
    this.#clients.add(client);
    // What a client types before there is a terminal waits in its socket.
    if (options.stdin && this.#stdio.terminal && this.#sink === null) socket.pause();
    else socket.resume();
  }

  #distribute(source: Source, name: OutputName, chunk: Buffer): boolean {
    this.#log?.write(name, chunk);
    for (const framed of [true, false]) {
      const clients = [...this.#clients].filter((client) => client[name] && client.framed === framed);
      if (clients.length === 0) continue;
      const { bytes, release } = frame(framed ? name : null, chunk, clients.length);
      for (const client of clients) {
        if (!client.socket.write(bytes, release) && !this.#draining) this.#waitFor(source, client);
      }
    }
    return !this.#waiting.has(source);
  }

  #waitFor(source: Source, client: Client): void {
    const clients = this.#waiting.get(source) ?? new Set();
    this.#waiting.set(source, clients.add(client));
  }

  #caughtUp(client: Client): void {
    for (const [source, clients] of this.#waiting) {
      if (!clients.delete(client) || clients.size > 0) continue;
      this.#waiting.delete(source);
      source.resume();
    }
  }

  #detach(client: Client): void {
    this.#clients.delete(client);
    this.#caughtUp(client);
    this.#inputEnded(client);
  }

  #feed(client: Client, chunk: Buffer): void {
    if (!client.stdin || this.#sink === null || this.#sink.destroyed || this.#sink.writableEnded) return;
    if (!this.#sink.write(chunk)) client.socket.pause();
  }

  /** A terminal has no half-close: its program sees an end of input when somebody types one. */
  #inputEnded(client: Client): void {
    if (client.stdin && this.#stdio.stdinOnce && !this.#stdio.terminal) this.#sink?.end();
  }

  #setSink(sink: Socket): void {
    this.#sink = sink;
    const goOn = () => {
      for (const { socket, stdin } of this.#clients) if (stdin) socket.resume();
    };
    sink.on('drain', goOn);
    // Nobody reads it any more: what clients still send is taken and dropped.
    sink.on('close', goOn);
    goOn();
  }

  #sourceEnded(source: Source): void {
    this.#sources.delete(source);
    this.#waiting.delete(source);
    if (this.#sources.size === 0) this.#finish();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#sink?.destroy();
    this.#log?.close();
    for (const { socket } of this.#clients) socket.destroySoon();
    this.#resolveEnded();
  }

  #closeChildSide(): void {
    for (const fd of this.#childSide ?? []) close(fd);
    this.#childSide = null;
  }
}
