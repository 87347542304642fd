/**
 * The judging process: vitest, kept warm, running one suite at a time. No learner's code is ever loaded here; suites
 * talk to subjects. It is told what to run over the channel of its parent, and says how each test ended.
 */

import fs from 'node:fs';
import path from 'node:path';
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';
import { KernelError } from '../../engine/kernel/errors.ts';
import { readLab } from '../lab.ts';
import type {} from './current-session.ts';
import { removeTree } from './files.ts';
import { home } from './home.ts';
import { leaks } from './leaks.ts';
import { type ModuleSource, makeModule } from './make-module.ts';
import { slowness, stopwatch } from './own-time.ts';
import type {} from './reds.ts';
import { Refused } from './refused.ts';
import { endForgotten } from './sandbox.ts';
import { Session } from './session.ts';
import { Spares } from './spares.ts';
import type {} from './suite.ts';
import { SuiteThread } from './suite-thread.ts';
import { startOverAsRoot } from './user-namespace.ts';

export interface JudgeRequest {
  id: number;
  /** Absolute. */
  suite: string;
  /** The lab's folder, absolute. */
  folder: string;
  /** The module under test. */
  source: ModuleSource;
  /** The tests to run. */
  titles: string[];
  /** What their inputs are drawn from: random.ts. */
  seed: number;
  /** Look whether anything is left when the suite is over; costs about 100 ms. */
  leakProof?: boolean;
  /** Where there can be no sandbox, do without. */
  plain?: boolean;
  /** Milliseconds a call may take; the suites' own choice if absent. */
  patience?: number;
  /** Skip the tests that come after the first one that fails. */
  untilRed?: boolean;
}

export interface JudgedTest {
  title: string;
  state: 'passed' | 'failed' | 'skipped' | 'pending';
  /** `frames`: where in the learner's file it was thrown, a line for each frame. */
  errors: { name: string; message: string; frames?: string; expected?: string; actual?: string }[];
  durationMs: number;
  /** The last of what the module printed, where the test failed. */
  printed?: string;
}

export interface JudgeAnswer {
  id: number;
  /** The module was not run at all, for this reason; there are no tests then. */
  refused?: string;
  tests: JudgedTest[];
  /** What the submission left on this machine; absent when nobody asked. */
  leaks?: string[];
  /** The suite was ended for this reason; the tests that were over by then are there. The judging process ends then. */
  spent?: string;
  /** What went wrong outside of any test: a suite that does not load, a hook that throws. */
  errors: { name: string; message: string }[];
}

/** Said as soon as a test is over. */
export interface JudgeProgress {
  tested: string;
}

interface Opened {
  session: Session;
  spares: Spares;
}

/** Where no user namespace can be made (ENOSYS, EPERM) a learner's own pure lab runs all the same, without a sandbox. */
function startOver(): void {
  try {
    startOverAsRoot([process.argv[1]!, 'judge'], { NODE_CHANNEL_FD: String(CHANNEL_FD) }, CHANNEL_FD);
  } catch (error) {
    if (!(error instanceof KernelError && error.syscall === 'clone3')) throw error;
  }
}

const vitestOptions = {
  root: home,
  config: false,
  watch: false,
  dir: path.join(home, 'labs'),
  include: ['**/*.test.ts'],
  setupFiles: [path.join(home, 'grader/harness/reds.ts')],
  isolate: false,
  maxWorkers: 1,
  fileParallelism: false,
  // Calls and waits have limits in counted time, and so has the suite; these are for what has none.
  testTimeout: 300_000,
  hookTimeout: 300_000,
  teardownTimeout: 5_000,
  // An answer as long as it may be would take minutes to be compared line by line.
  diff: { truncateThreshold: 200, maxDepth: 8 },
} as const;

/** What a suite may take, in milliseconds of counted time, besides its tests that pass. */
const OF_A_SUITE = 55_000;
/** What tests that pass may take: a module that is only slow is right. */
const OF_PASSED_TESTS = 150_000;

/** Where judge-client.ts puts the channel. Node has it read, and taken its name out of the environment, by now. */
const CHANNEL_FD = 3;

/** Serve requests from the parent process until it goes. */
export async function judge(): Promise<void> {
  // What is made for a sandbox is for somebody else to read, whatever the umask of the grader.
  process.umask(0o022);
  if (process.geteuid?.() !== 0) startOver();
  // The shim starts while vitest loads.
  const opening = Session.open().then((session) => ({ session, spares: new Spares(session) }));
  opening.catch(() => {});
  // What a run answers by itself includes what earlier runs found, so only what ends during a run is listened to.
  const modules: TestModule[] = [];
  const cases: TestCase[] = [];
  const ended: Reporter = {
    onTestModuleEnd: (module) => void modules.push(module),
    onTestCaseResult: (test) => {
      cases.push(test);
      tell({ tested: test.name });
    },
  };
  const { createVitest, ThreadsPoolWorker } = await import('vitest/node');
  const thread = new SuiteThread((options) => new ThreadsPoolWorker(options), filesOfLabs);
  const vitest = await createVitest('test', {
    ...vitestOptions,
    pool: thread,
    include: [...vitestOptions.include],
    setupFiles: [...vitestOptions.setupFiles],
    reporters: [ended],
  });
  await vitest.standalone();
  const opened = await opening.catch((error: Error) => error.message);
  const project = vitest.getRootProject();
  if (typeof opened === 'string') project.provide('skiffNoSandbox', opened);
  else project.provide('skiffSession', opened.session.address);
  let turn = Promise.resolve();
  process.on('message', (request: JudgeRequest) => {
    turn = turn.then(async () => {
      modules.length = 0;
      cases.length = 0;
      const session = typeof opened === 'string' ? null : opened.session;
      const answer = await withModule(request, session, async (module) =>
        answerOf(request, modules, await limited(run(vitest, request, module), cases, () => endWith(request, cases))),
      );
      // What a submission may have brought about in a suite ends with it: a promise that rejects late, a descriptor. It ends
      // before what is left is looked for, so that nothing of it can still be made.
      if (request.leakProof || answer.errors.length > 0) await thread.end();
      if (typeof opened !== 'string') await tidyUp(opened, request, answer);
      tell(answer);
    });
  });
  process.once('disconnect', () => process.exit(0));
  // A module that does not compile needs no judge, and the caller may have hung up by now.
  if (!process.connected) process.exit(0);
  tell({ ready: true });
}

function tell(message: JudgeAnswer | JudgeProgress | { ready: true }, then = () => {}): void {
  // If nobody is there to be told, `disconnect` ends this process.
  process.send?.(message, undefined, undefined, then);
}

/** Call `late` when the suite has had its time. */
async function limited<T>(suite: Promise<T>, over: TestCase[], late: () => void): Promise<T> {
  const elapsed = stopwatch();
  const timer = setInterval(() => {
    if (elapsed() < OF_A_SUITE * slowness() + Math.min(passed(over), OF_PASSED_TESTS)) return;
    clearInterval(timer);
    late();
  }, 500);
  return await suite.finally(() => clearInterval(timer));
}

/** Milliseconds. */
function passed(over: TestCase[]): number {
  const tests = over.filter((test) => test.result().state === 'passed');
  return tests.reduce((sum, test) => sum + (test.diagnostic()?.duration ?? 0), 0);
}

/** Nothing in a thread that waits or loops can be trusted to stop, so this process ends, and its session with it. */
function endWith({ id }: JudgeRequest, over: TestCase[]): void {
  const seconds = Math.round((OF_A_SUITE * slowness()) / 1000);
  const spent =
    `This test was not over in time: what does not pass may take ${seconds} seconds in a lab. ` +
    'Where does your module wait, or let others wait?';
  tell({ id, tests: over.map(judged), errors: [], spent }, () => process.exit(0));
}

async function tidyUp({ session, spares }: Opened, request: JudgeRequest, answer: JudgeAnswer): Promise<void> {
  const ready = await spares.all();
  await endForgotten(session);
  if (request.leakProof) answer.leaks = await leaks(session, ready);
}

interface Failure {
  name?: string;
  message?: string;
}

/** Bundle the module, and judge it if it can be. */
async function withModule(
  { id, folder, source, plain }: JudgeRequest,
  session: Session | null,
  judged: (module: string) => Promise<JudgeAnswer>,
): Promise<JudgeAnswer> {
  // Nothing of a submission is compiled without a sandbox; its tests are unsupported.
  if (session === null && !plain) return await judged('');
  let module: string | undefined;
  const remove = () => {
    if (module !== undefined) removeTree(module);
  };
  // A suite that takes too long ends this process from within.
  process.once('exit', remove);
  try {
    module = await makeModule({ ...readLab(folder), folder }, source, session);
    return await judged(module);
  } catch (error) {
    const { name, message } = error as Error;
    return {
      id,
      tests: [],
      ...(error instanceof Refused ? { refused: message, errors: [] } : { errors: [{ name, message }] }),
    };
  } finally {
    process.off('exit', remove);
    remove();
  }
}

const labs = path.join(home, 'labs');

function filesOfLabs(): string[] {
  const names = fs.readdirSync(labs, { recursive: true }) as string[];
  return names.filter((name) => name.endsWith('.ts')).map((name) => path.join(labs, name));
}

/** When each suite that was judged had been edited, in milliseconds. */
const edited = new Map<string, number>();

/** @returns what went wrong outside of every module. */
async function run(vitest: Vitest, request: JudgeRequest, module: string): Promise<Failure[]> {
  const { suite, titles, seed, patience, plain, untilRed = false } = request;
  const project = vitest.getRootProject();
  project.provide('skiffSeed', seed);
  project.provide('skiffModule', module);
  project.provide('skiffPatience', patience);
  project.provide('skiffPlain', plain);
  project.config.bail = untilRed ? 1 : 0;
  const { mtimeMs } = fs.statSync(suite);
  if (edited.get(suite) !== mtimeMs) vitest.invalidateFile(suite);
  edited.set(suite, mtimeMs);
  vitest.setGlobalTestNamePattern(new RegExp(`(^| )(${titles.map(escaped).join('|')})$`));
  const { unhandledErrors } = await vitest.runTestSpecifications([project.createSpecification(suite)], false);
  return unhandledErrors as Failure[];
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function answerOf({ id, suite }: JudgeRequest, ended: TestModule[], unhandled: Failure[]): JudgeAnswer {
  const modules = ended.filter(({ moduleId }) => moduleId === suite);
  const around = modules.flatMap((one) => [
    ...one.errors(),
    ...Array.from(one.children.allSuites(), (each) => each.errors()).flat(),
  ]);
  return {
    id,
    tests: modules.flatMap(testsOf),
    errors: [...around, ...unhandled].map(({ name, message }) => ({ name: String(name), message: String(message) })),
  };
}

function testsOf(module: TestModule): JudgedTest[] {
  return Array.from(module.children.allTests(), judged);
}

function judged(test: TestCase): JudgedTest {
  const { state, errors = [] } = test.result();
  return {
    title: test.name,
    state,
    errors: errors.map(({ name, message, stack, expected, actual }) => ({
      name: String(name),
      message: String(message),
      frames: framesOf(stack),
      expected: textOf(expected),
      actual: textOf(actual),
    })),
    durationMs: test.diagnostic()?.duration ?? 0,
    printed: test.meta().printed,
  };
}

const MOST_FRAMES = 3;

/** The frames of the learner's own file, named as the learner knows it: neither the suite's nor the driver's. */
function framesOf(stack: string | undefined): string | undefined {
  const frames = (stack ?? '').split('\n').flatMap((line) => {
    const place = /\blabs\/[\w-]+\/[\w-]+\.ts:\d+:\d+/.exec(line.slice(line.lastIndexOf('labs/')))?.[0];
    const [, name] = /^\s*at (?:async )?(?:Object\.)?([\w.$<>]+) \(/.exec(line) ?? [];
    return place === undefined ? [] : [`\n    at ${place}${name === undefined ? '' : ` in ${name}()`}`];
  });
  return frames.length === 0 ? undefined : frames.slice(0, MOST_FRAMES).join('');
}

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value).slice(0, 4_000);
}
