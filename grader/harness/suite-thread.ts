/**
 * The thread that suites run in. Vitest starts one for each run and loads itself and the harness into it, which costs more
 * than most runs; this one is kept until it is ended. What belongs to the labs is loaded anew for each run.
 * https://vitest.dev/guide/advanced/pool.html
 */

import type { PoolOptions, PoolRunnerInitializer, PoolWorker } from 'vitest/node';

type Message = Parameters<PoolWorker['send']>[0];
type Listener = Parameters<PoolWorker['on']>[1];

export class SuiteThread implements PoolRunnerInitializer {
  readonly name = 'suite-thread';
  readonly #makeThread: (options: PoolOptions) => PoolWorker;
  readonly #loadedAnew: () => string[];
  #thread: PoolWorker | null = null;

  /**
   * @param makeThread vitest's own kind of thread.
   * @param loadedAnew the files, absolute, that no run has from the one before.
   */
  constructor(makeThread: (options: PoolOptions) => PoolWorker, loadedAnew: () => string[]) {
    this.#makeThread = makeThread;
    this.#loadedAnew = loadedAnew;
  }

  /** Vitest asks for one for each run. */
  createPoolWorker(options: PoolOptions): PoolWorker {
    return new RunOfThread(
      async () => {
        const isNew = this.#thread === null;
        const thread = this.#thread ?? this.#makeThread(options);
        if (isNew) {
          await thread.start();
          this.#thread = thread;
          // Between two runs nobody else listens, and an error that nobody hears would end the judge.
          for (const event of ['error', 'exit']) thread.on(event, () => this.#forget(thread));
        }
        return { thread, isNew };
      },
      this.#loadedAnew,
      this.name,
    );
  }

  /** End it; the next run gets another. Nothing to do while there is none. */
  async end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.stop();
  }

  #forget(thread: PoolWorker): void {
    if (this.#thread === thread) this.#thread = null;
  }
}

/** One run, as vitest sees it: a thread that it starts and stops. */
class RunOfThread implements PoolWorker {
  readonly name: string;
  readonly #open: () => Promise<{ thread: PoolWorker; isNew: boolean }>;
  readonly #loadedAnew: () => string[];
  readonly #listeners: [event: string, listener: Listener][] = [];
  #thread: PoolWorker | undefined;
  #isNew = true;
  /** Of this run, where the thread has begun with that of another. */
  #config: (Message & { type: 'start' })['context']['config'] | undefined;

  constructor(open: () => Promise<{ thread: PoolWorker; isNew: boolean }>, loadedAnew: () => string[], name: string) {
    this.#open = open;
    this.#loadedAnew = loadedAnew;
    this.name = name;
  }

  async start(): Promise<void> {
    const { thread, isNew } = await this.#open();
    this.#thread = thread;
    this.#isNew = isNew;
  }

  on(event: string, listener: Listener): void {
    this.#listeners.push([event, listener]);
    this.#thread!.on(event, listener);
  }

  off(event: string, listener: Listener): void {
    this.#thread!.off(event, listener);
  }

  send(message: Message): void {
    // A response to a call of the thread's has no type.
    if (message.type === 'start' && !this.#isNew) {
      this.#config = message.context.config;
      this.#answer('started');
    } else if (message.type === 'stop') this.#answer('stopped');
    else if (message.type === 'run' && !this.#isNew) {
      const invalidates = [...(message.context.invalidates ?? []), ...this.#loadedAnew()];
      const context = { ...message.context, config: this.#config, invalidates };
      this.#thread!.send({ ...message, context });
    } else this.#thread!.send(message);
  }

  deserialize(data: unknown): unknown {
    return data;
  }

  /** The thread goes on; only what listened for this run does not. */
  async stop(): Promise<void> {
    for (const [event, listener] of this.#listeners.splice(0)) this.#thread!.off(event, listener);
  }

  /** In the place of the thread, which has begun before and shall not end. */
  #answer(type: 'started' | 'stopped'): void {
    const listeners = this.#listeners.filter(([event]) => event === 'message');
    for (const [, listener] of listeners) listener({ type, __vitest_worker_response__: true });
  }
}
