/** The judge's end of the conversation with a subject. */

import fs from 'node:fs';
import net from 'node:net';
import { type Answer, answerSchema } from './answer.ts';
import { within } from './own-time.ts';
import { SubjectBroken, SubjectDied, SubjectError, SubjectTimeout } from './subject-error.ts';
import { decode, encode, LineReader } from './wire.ts';

interface Question {
  call: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Channel {
  /** Resolves when the module is loaded; rejects with SubjectBroken when it cannot be. */
  readonly ready: Promise<void>;
  /** Resolves when the subject has asked for the module, or is gone; until then nothing of the learner's has run. */
  readonly begun: Promise<void>;
  readonly #server: net.Server;
  readonly #questions = new Map<number, Question>();
  #socket: net.Socket | null = null;
  #asked = 0;
  #end: Error | null = null;
  #isReady: () => void = () => {};
  #hasBegun: () => void = () => {};
  #isBroken: (error: Error) => void = () => {};

  private constructor(server: net.Server) {
    this.#server = server;
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#isBroken = reject;
    });
    this.ready.catch(() => {});
    this.begun = new Promise((resolve) => {
      this.#hasBegun = resolve;
    });
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** Listen on `path` for the one connection of the subject. */
  static async listen(path: string): Promise<Channel> {
    const server = net.createServer();
    const channel = new Channel(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(`${path}.new`, resolve);
    });
    // The subject is someone else on this machine, and connects as soon as it sees the name.
    fs.chmodSync(`${path}.new`, 0o666);
    fs.renameSync(`${path}.new`, path);
    return channel;
  }

  /** @param patience milliseconds of counted time. */
  async call(call: string, args: unknown[], patience: number): Promise<unknown> {
    if (this.#end !== null) throw this.#end;
    const id = ++this.#asked;
    const answer = new Promise<unknown>((resolve, reject) => this.#questions.set(id, { call, resolve, reject }));
    this.#socket!.write(`${JSON.stringify({ id, call, args: encode(args) })}\n`);
    return within(answer, patience, () => {
      this.#questions.delete(id);
      return new SubjectTimeout(
        `${call}() did not return within ${Math.round(patience / 100) / 10} seconds. Does it wait for something that never comes?`,
      );
    });
  }

  /** Nothing is heard or said any more; a caller that waits gets `reason`. */
  close(reason: Error): void {
    if (this.#end !== null) return;
    this.#end = reason;
    this.#hasBegun();
    this.#server.close();
    this.#socket?.destroy();
    this.#isBroken(reason);
    for (const question of this.#questions.values()) question.reject(reason);
    this.#questions.clear();
  }

  /** Whether the subject has come so far as to ask for the module; before that, nothing of the learner's has run. */
  get connected(): boolean {
    return this.#socket !== null;
  }

  get closed(): boolean {
    return this.#end !== null;
  }

  /** Why nothing is heard any more; null while something may be. */
  get reason(): Error | null {
    return this.#end;
  }

  #accept(socket: net.Socket): void {
    if (this.#socket !== null) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.#hasBegun();
    this.#server.close();
    socket.write('{"load":true}\n');
    const lines = new LineReader();
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      try {
        for (const line of lines.push(chunk)) this.#hear(line);
      } catch (error) {
        this.close(
          new SubjectDied(
            `The process of your module sent ${(error as Error).message} to the judge, and was ended. ` +
              'Only the harness speaks on that channel: leave every descriptor alone that your code did not open.',
          ),
        );
      }
    });
  }

  #hear(line: string): void {
    const answer = parseAnswer(line);
    if ('ready' in answer) {
      this.#isReady();
      return;
    }
    if ('broken' in answer) {
      const { name, message, stack } = answer.broken;
      const where = stack?.split('\n').find((frame) => frame.includes('labs/'));
      this.close(
        new SubjectBroken(`The module throws while it is loaded: ${name}: ${message}${where ? `\n${where}` : ''}`),
      );
      return;
    }
    const question = this.#questions.get(answer.id);
    if (question === undefined) throw new Error(`an answer to a question (${answer.id}) that was not asked`);
    this.#questions.delete(answer.id);
    if ('thrown' in answer) question.reject(new SubjectError(question.call, answer.thrown));
    else question.resolve(decode(answer.value));
  }
}

function parseAnswer(line: string): Answer {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new Error('something that is not JSON');
  }
  const parsed = answerSchema.safeParse(json);
  if (!parsed.success) throw new Error('a message of an unknown shape');
  return parsed.data;
}
