import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { open, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../../engine/kernel/descriptors.ts';
import { Channel } from './channel.ts';
import { rootfsTemplate } from './rootfs.ts';
import { type Sandbox, startSandbox } from './sandbox.ts';
import { describeEnding, SubjectBroken, SubjectDied, SubjectTimeout } from './subject-error.ts';
import type { Subject } from './suite.ts';

const O_PATH = 0o10000000;
const O_DIRECTORY = fs.constants.O_DIRECTORY;
/** Loading a module takes milliseconds; the rest is for a machine that is busy elsewhere. */
const PATIENCE_TO_LOAD = 10_000;

interface Options {
  uid: 'root' | 'nobody';
  /** Milliseconds. */
  patience: number;
}

interface Run {
  sandbox: Sandbox;
  channel: Channel;
  /** The judge's directory: the channel, the module, and the work directories. */
  directory: string;
}

/** Modules that cannot be loaded: asking again would only take as long again. */
const broken = new Map<string, Error>();

export class LiveSubject implements Subject {
  readonly #module: string;
  readonly #options: Options;
  #run: Run;

  private constructor(module: string, options: Options, run: Run) {
    this.#module = module;
    this.#options = options;
    this.#run = run;
  }

  static async open(module: string, options: Options): Promise<LiveSubject> {
    return new LiveSubject(module, options, await start(module, options));
  }

  async call(name: string, ...args: unknown[]): Promise<unknown> {
    const known = broken.get(this.#module);
    if (known !== undefined) throw known;
    if (this.#run.channel.closed) {
      await end(this.#run);
      this.#run = await start(this.#module, this.#options);
    }
    const { channel } = this.#run;
    try {
      await channel.within(channel.ready, PATIENCE_TO_LOAD, neverLoaded);
      return await channel.call(name, args, this.#options.patience);
    } catch (error) {
      if (error instanceof SubjectBroken) broken.set(this.#module, error);
      if (error instanceof SubjectTimeout) channel.close(error);
      throw error;
    }
  }

  async workDir(): Promise<{ inside: string; outside: string }> {
    const outside = fs.mkdtempSync(path.join(this.#run.directory, 'work', 'd'));
    fs.chmodSync(outside, 0o755);
    return { outside, inside: path.join(this.#run.sandbox.judgeInside, 'work', path.basename(outside)) };
  }

  get rootfs(): string {
    return this.#run.sandbox.rootfs;
  }

  get scratch(): string {
    return this.#run.sandbox.scratch;
  }

  get pid(): number {
    return this.#run.sandbox.pid;
  }

  outsidePath(inside: string): string {
    const root = open(`/proc/${this.pid}/root`, O_PATH | O_DIRECTORY);
    try {
      const fd = openat2(root, inside, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
      descriptors.push(fd);
      return `/proc/${process.pid}/fd/${fd}`;
    } finally {
      fs.closeSync(root);
    }
  }

  stderr(): string {
    return this.#run.sandbox.printed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const fd of descriptors.splice(0)) fs.closeSync(fd);
    await end(this.#run);
  }
}

const descriptors: number[] = [];

async function start(module: string, { uid }: Options): Promise<Run> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-subject-'));
  fs.chmodSync(directory, 0o755);
  fs.mkdirSync(path.join(directory, 'work'), { mode: 0o755 });
  fs.copyFileSync(module, path.join(directory, 'module.cjs'));
  const channel = await Channel.listen(path.join(directory, 'channel'));
  try {
    const sandbox = await startSandbox({ judge: directory, template: rootfsTemplate(), uid });
    void sandbox.ended.then((ending) => {
      const said = sandbox.printed().trim().split('\n').slice(-3).join('\n');
      channel.close(
        new SubjectDied(
          `The process that runs your module is gone: ${describeEnding(ending)}. Your code may end processes that it ` +
            `started, but not the one it runs in.${said === '' ? '' : `\nThe last it printed:\n${said}`}`,
        ),
      );
    });
    await channel.within(channel.ready, PATIENCE_TO_LOAD, neverLoaded).catch((error: unknown) => {
      if (error instanceof SubjectTimeout) channel.close(new SubjectBroken(error.message));
      broken.set(module, new SubjectBroken((error as Error).message));
    });
    return { sandbox, channel, directory };
  } catch (error) {
    channel.close(new SubjectDied('The sandbox did not start.'));
    fs.rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

async function end({ sandbox, channel, directory }: Run): Promise<void> {
  channel.close(new SubjectDied('The subject was closed by the suite.'));
  await sandbox.destroy();
  fs.rmSync(directory, { recursive: true, force: true });
}

function neverLoaded(): SubjectTimeout {
  return new SubjectTimeout(
    `The module was not loaded within ${PATIENCE_TO_LOAD / 1000} seconds. Does it loop, or wait, outside of its functions?`,
  );
}
