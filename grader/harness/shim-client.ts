/** A connection to the shim of a grading session. The protocol is engine/runtime/shim/protocol.ts. */

import { once } from 'node:events';
import net from 'node:net';
import type { Exited, ShimEvent, ShimFailure, ShimMethod, ShimMethods } from '../../engine/runtime/shim/protocol.ts';

type Answer = { id: number; result?: unknown; error?: ShimFailure } | ShimEvent;

/** Other clients' containers end, too, and nobody here asks for those. */
const MOST_EARLY_EXITS = 64;

export class ShimClient {
  readonly #socketPath: string;
  readonly #control: net.Socket;
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  readonly #exits = new Map<string, (exited: Exited | null) => void>();
  /** Exits that came before anyone asked for them: a program may be over before its start has been heard of. */
  readonly #early = new Map<string, Exited>();
  #asked = 0;

  private constructor(socketPath: string, control: net.Socket) {
    this.#socketPath = socketPath;
    this.#control = control;
    let rest = '';
    control.setEncoding('utf8');
    control.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#hear(JSON.parse(line) as Answer);
    });
    control.on('error', () => {});
    control.on('close', () => this.#lost());
  }

  static async connect(socketPath: string): Promise<ShimClient> {
    const control = net.connect(socketPath);
    await once(control, 'connect');
    control.write('{"role":"control"}\n');
    return new ShimClient(socketPath, control);
  }

  request<M extends ShimMethod>(method: M, params: ShimMethods[M]['params']): Promise<ShimMethods[M]['result']> {
    if (this.#control.destroyed) return Promise.reject(gone());
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: (result) => resolve(result as ShimMethods[M]['result']), reject });
      this.#control.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  /** Call `then` once when the container's process has ended; with null when the shim itself has. */
  onExit(container: string, then: (exited: Exited | null) => void): void {
    const early = this.#early.get(container);
    this.#early.delete(container);
    if (early !== undefined) then(early);
    else if (this.#control.destroyed) then(null);
    else this.#exits.set(container, then);
  }

  /** The output of a container: bytes in the frames of Docker's multiplexed stream. */
  async output(container: string): Promise<net.Socket> {
    const socket = net.connect(this.#socketPath);
    await once(socket, 'connect');
    socket.on('error', () => {});
    const greeting = { role: 'attach', key: { container }, stdin: false, stdout: true, stderr: true };
    socket.write(`${JSON.stringify(greeting)}\n`);
    return socket;
  }

  /** A socket that is only listened to must not keep a process that has nothing else to do. */
  unref(): void {
    this.#control.unref();
  }

  close(): void {
    this.#control.destroy();
  }

  #hear(message: Answer): void {
    if ('event' in message) {
      if (message.event !== 'exit') return;
      const { container } = message.key;
      const then = this.#takeExit(container);
      if (then !== undefined) then(message);
      else this.#rememberExit(container, message);
      return;
    }
    const { id, result, error } = message;
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(result);
    else pending?.reject(new Error(`${error.step}: ${error.message}`));
  }

  #rememberExit(container: string, exited: Exited): void {
    this.#early.set(container, exited);
    const [oldest] = this.#early.keys();
    if (this.#early.size > MOST_EARLY_EXITS) this.#early.delete(oldest!);
  }

  #takeExit(container: string) {
    const then = this.#exits.get(container);
    this.#exits.delete(container);
    return then;
  }

  #lost(): void {
    for (const { reject } of this.#pending.values()) reject(gone());
    this.#pending.clear();
    for (const then of this.#exits.values()) then(null);
    this.#exits.clear();
  }
}

/** A process of the harness has ended, which submitted code has no way to reach. */
export class ShimGone extends Error {
  override readonly name = 'ShimGone';
}

function gone(): Error {
  return new ShimGone('The shim of the grading session has ended.');
}
