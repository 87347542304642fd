/** Networks for tests: everything happens in namespaces that go with the test's process, and nothing in the machine's own. */

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { close, O_RDONLY, open } from '#kernel/descriptors';
import { setInterfaceUp } from '#kernel/interfaces';
import { CLONE_NEWNET, setns, unshare } from '#kernel/namespaces';
import type { PortProtocol } from '../contract/network.ts';
import { inNamespace, makeNamespace } from '../namespace.ts';

/** Milliseconds after which what was dropped counts as dropped. */
const PATIENCE = 1500;

/** Move the test's main thread to a new network namespace. Children that it starts are there as well. @returns the way back */
export function enterOwnNetwork(): () => void {
  const home = open('/proc/thread-self/ns/net', O_RDONLY);
  unshare(CLONE_NEWNET);
  setInterfaceUp('lo');
  return () => {
    setns(home, CLONE_NEWNET);
    close(home);
  };
}

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

/** A process in a namespace, in the place of a container or of a machine. */
export class Inhabitant {
  readonly namespace: number;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  /** @param namespace a descriptor, which this one closes; a new one if absent */
  constructor(namespace = makeNamespace()) {
    this.namespace = namespace;
    const script = path.join(import.meta.dirname, 'inhabitant.cjs');
    this.#child = inNamespace(namespace, () =>
      spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    readline.createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async listen(protocol: 'tcp' | 'udp', port: number, address?: string): Promise<number> {
    return (await this.#call('listen', { protocol, port, address })) as number;
  }

  /** What a server answers that tells who asked it; or the errno; or `silence`. */
  async ask(protocol: Exclude<PortProtocol, 'sctp'>, address: string, port: number): Promise<string> {
    return (await this.#call('ask', { protocol, address, port, patience: PATIENCE })) as string;
  }

  async keep(address: string, port: number): Promise<void> {
    await this.#call('keep', { address, port });
  }

  async speak(): Promise<string> {
    return (await this.#call('speak', { patience: PATIENCE })) as string;
  }

  async openUdp(address: string, port: number): Promise<void> {
    await this.#call('openUdp', { address, port });
  }

  async speakUdp(): Promise<string> {
    return (await this.#call('speakUdp', { patience: PATIENCE })) as string;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    close(this.namespace);
  }

  async #call(name: string, args: object): Promise<unknown> {
    const id = ++this.#last;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin!.write(`${JSON.stringify({ id, name, args })}\n`);
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value;
  }
}
