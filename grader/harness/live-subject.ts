import fs from 'node:fs';
import path from 'node:path';
import { inject } from 'vitest';
import { open, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../../engine/kernel/descriptors.ts';
import { Allowance } from './allowance.ts';
import { Channel } from './channel.ts';
import { currentSession } from './current-session.ts';
import { MODULE_FILES } from './make-module.ts';
import type { Subject } from './opened-subject.ts';
import { infrastructure, unsupported } from './outcome-errors.ts';
import { inUse, within } from './own-time.ts';
import { PlainSandbox } from './plain-sandbox.ts';
import { type Ending, MOST_OUTPUT, Sandbox, type SubjectPlace, startContainer } from './sandbox.ts';
import type { SubjectUser } from './sandbox-spec.ts';
import { ShimGone } from './shim-client.ts';
import { takeSpare } from './spares.ts';
import { describeEnding, SubjectBroken, SubjectDied, SubjectTimeout } from './subject-error.ts';

const O_PATH = 0o10000000;
const O_DIRECTORY = fs.constants.O_DIRECTORY;
/** Loading a module takes milliseconds; the rest is for a machine that is busy elsewhere. */
const PATIENCE_TO_LOAD = 10_000;
/** Until then only our own code runs. */
const PATIENCE_TO_BEGIN = 30_000;

interface Options {
  uid: SubjectUser;
  noNewPrivileges?: boolean;
  cgroups?: boolean;
  /** Milliseconds. */
  patience: number;
  /** Runs for every fresh subject, before the test that it is for. */
  prepare?: (subject: Subject) => Promise<void> | void;
}

interface Run {
  sandbox: SubjectPlace;
  channel: Channel;
}

/** A function that hung so often hangs again, and grading has to come to an end. */
const MOST_TIMEOUTS = 2;
const MOST_TIMEOUTS_OF_A_MODULE = 6;
const timeouts = new Map<string, Map<string, number>>();

/** How often each function of a module did not return in time. */
function lateness(module: string): Map<string, number> {
  const late = timeouts.get(module) ?? new Map<string, number>();
  timeouts.set(module, late);
  return late;
}

function sumOf(counts: Map<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** Modules whose code has begun to run: what goes wrong from then on is theirs. */
const begun = new Set<string>();

/** Modules that cannot be loaded: asking again would only take as long again. */
const broken = new Map<string, Error>();

const openSubjects = new Set<LiveSubject>();

/** Those that a suite that is over has left open; the judge ends their sandboxes. */
export function forgetSubjects(): void {
  openSubjects.clear();
}

/**
 * After a test that failed: what the modules of the open subjects have printed.
 * @param disturbed whether each is to be replaced by a fresh one, since nobody knows what the test has left in it.
 */
export async function renewSubjects(disturbed: boolean): Promise<string> {
  const printed = [...openSubjects].map((subject) => subject.stderr().trim()).filter((text) => text !== '');
  if (disturbed) for (const subject of openSubjects) if (!subject.isSpent) await subject.renew();
  return printed.join('\n');
}

export class LiveSubject implements Subject {
  readonly #module: string;
  readonly #options: Options;
  readonly #descriptors: number[] = [];
  #run: Run;

  private constructor(module: string, options: Options, run: Run) {
    this.#module = module;
    this.#options = options;
    this.#run = run;
  }

  static async open(module: string, options: Options): Promise<LiveSubject> {
    Allowance.of(module).check();
    const subject = new LiveSubject(module, options, await start(module, options));
    openSubjects.add(subject);
    await options.prepare?.(subject);
    return subject;
  }

  /** Its module has had all the time it gets. */
  get isSpent(): boolean {
    return Allowance.of(this.#module).isSpent;
  }

  /** Another sandbox, and the module loaded anew in it. */
  async renew(): Promise<void> {
    for (const fd of this.#descriptors.splice(0)) fs.closeSync(fd);
    await end(this.#run);
    this.#run = await start(this.#module, this.#options);
    await this.#options.prepare?.(this);
  }

  async call(name: string, ...args: unknown[]): Promise<unknown> {
    const known = broken.get(this.#module);
    if (known !== undefined) throw known;
    const allowance = Allowance.of(this.#module);
    allowance.check();
    if (this.#run.channel.closed) await this.renew();
    const { channel } = this.#run;
    const late = lateness(this.#module);
    const before = late.get(name) ?? 0;
    if (before >= MOST_TIMEOUTS || sumOf(late) >= MOST_TIMEOUTS_OF_A_MODULE)
      throw new SubjectTimeout(`${name}() was not tried: too many calls of this module did not return before.`);
    const over = allowance.use();
    let failed = true;
    try {
      await within(channel.begun, PATIENCE_TO_BEGIN, neverBegan);
      await within(channel.ready, PATIENCE_TO_LOAD, neverLoaded);
      const answer = await channel.call(name, args, Math.min(this.#options.patience, allowance.left));
      failed = false;
      return answer;
    } catch (error) {
      if (error instanceof SubjectBroken) broken.set(this.#module, error);
      if (error instanceof SubjectTimeout) {
        late.set(name, before + 1);
        channel.close(error);
      }
      throw error;
    } finally {
      over(failed);
    }
  }

  async workDir(): Promise<{ inside: string; outside: string }> {
    const { sandbox } = this.#run;
    const outside = fs.mkdtempSync(path.join(sandbox.outside, 'work', 'd'));
    fs.chmodSync(outside, 0o755);
    return { outside, inside: path.join(sandbox.inside, 'work', path.basename(outside)) };
  }

  get rootfs(): string {
    return path.join(this.#run.sandbox.inside, 'rootfs');
  }

  get scratch(): string {
    return path.join(this.#run.sandbox.inside, 'scratch');
  }

  get pid(): number {
    const { pid } = this.#run.sandbox;
    const { reason } = this.#run.channel;
    // Who looks for what has ended finds nothing, or another; the reader wants to know how it came to its end.
    if (reason !== null && !fs.existsSync(`/proc/${pid}`)) throw reason;
    return pid;
  }

  outsidePath(inside: string): string {
    const { sandbox } = this.#run;
    const below = path.posix.normalize(inside);
    if (below === sandbox.inside || below.startsWith(`${sandbox.inside}/`))
      return path.join(sandbox.outside, below.slice(sandbox.inside.length));
    const root = open(`/proc/${this.pid}/root`, O_PATH | O_DIRECTORY);
    try {
      const fd = openat2(root, inside, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
      this.#descriptors.push(fd);
      return `/proc/${process.pid}/fd/${fd}`;
    } finally {
      fs.closeSync(root);
    }
  }

  stderr(): string {
    return this.#run.sandbox.printed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    openSubjects.delete(this);
    for (const fd of this.#descriptors.splice(0)) fs.closeSync(fd);
    await end(this.#run);
  }
}

async function start(module: string, options: Options): Promise<Run> {
  try {
    // What is in the way may have gone by the second time.
    return await startRun(module, options).catch((error: Error) =>
      error.name.startsWith('Harness') || error instanceof ShimGone ? Promise.reject(error) : startRun(module, options),
    );
  } catch (error) {
    const { name, message } = error as Error;
    if (name.startsWith('Harness')) throw error;
    if (begun.has(module) && !(error instanceof ShimGone))
      throw new SubjectDied(
        `After your module had run, no fresh sandbox could be started: ${message}. What did it leave behind, or use up?`,
      );
    return infrastructure(`The sandbox did not start: ${message}`);
  }
}

async function startRun(module: string, options: Options): Promise<Run> {
  const sandbox = await place(options);
  inUse.add(sandbox.pid);
  try {
    for (const name of MODULE_FILES) {
      const file = path.join(sandbox.outside, `${name}.cjs`);
      fs.copyFileSync(path.join(module, `${name}.cjs`), file);
      fs.chmodSync(file, 0o644);
    }
    const channel = await Channel.listen(path.join(sandbox.outside, 'channel'));
    void sandbox.ended.then((ending) => channel.close(new SubjectDied(obituary(sandbox, ending))));
    await within(channel.begun, PATIENCE_TO_BEGIN, neverBegan);
    if (channel.connected) begun.add(module);
    await within(channel.ready, PATIENCE_TO_LOAD, neverLoaded).catch((error: unknown) => {
      if (!channel.connected) throw error;
      if (error instanceof SubjectTimeout) channel.close(new SubjectBroken(error.message));
      broken.set(module, new SubjectBroken((error as Error).message));
    });
    return { sandbox, channel };
  } catch (error) {
    inUse.delete(sandbox.pid);
    await sandbox.destroy();
    throw error;
  }
}

async function place({ uid, noNewPrivileges = true, cgroups = false }: Options): Promise<SubjectPlace> {
  const why = inject('skiffNoSandbox');
  if (why !== undefined) {
    if (inject('skiffPlain')) return new PlainSandbox();
    unsupported(`${why} ./workshop doctor says what this machine lacks.`);
  }
  const session = await currentSession();
  const spare = uid === 'root' && noNewPrivileges && !cgroups ? takeSpare(session) : null;
  return new Sandbox(session, spare ?? (await startContainer(session, uid, { noNewPrivileges, cgroups })));
}

function obituary(sandbox: SubjectPlace, ending: Ending): string {
  if (sandbox.flooded)
    return `The process that runs your module printed more than ${MOST_OUTPUT >> 20} MiB and was ended. Print less.`;
  const said = sandbox.printed().trim().split('\n').slice(-3).join('\n');
  return (
    `The process that runs your module is gone: ${describeEnding(ending)}. Your code may end processes that it ` +
    `started, but not the one it runs in.${said === '' ? '' : `\nThe last it printed:\n${said}`}`
  );
}

async function end({ sandbox, channel }: Run): Promise<void> {
  channel.close(new SubjectDied('The subject was closed by the suite.'));
  inUse.delete(sandbox.pid);
  await sandbox.destroy();
}

function neverBegan(): Error {
  return new Error(`The subject did not ask for its module within ${PATIENCE_TO_BEGIN / 1000} seconds.`);
}

function neverLoaded(): SubjectTimeout {
  return new SubjectTimeout(
    `The module was not loaded within ${PATIENCE_TO_LOAD / 1000} seconds. Does it loop, or wait, outside of its functions?`,
  );
}
