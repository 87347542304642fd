/** A judging process as its parent sees it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { builtFile, home } from './home.ts';
import type { JudgeAnswer, JudgeProgress, JudgeRequest } from './judge.ts';
import { removeStaleSessions } from './session.ts';

/** What a Node that forks has to run with. */
const FORKS = ['--single-threaded', '--v8-pool-size=0'];
/**
 * Milliseconds of wall clock. The judging process ends a suite that takes too long by itself, ten times later at most
 * where the machine is busy; when it has not, it hangs.
 */
const LONGEST_SUITE = 900_000;

export class Judge implements AsyncDisposable {
  #child: ChildProcess | null = null;
  #ready: Promise<void> = Promise.resolve();
  #asked = 0;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #cpu: number | undefined;

  /** @param cpu the one CPU that the judging process and its sandboxes run on; any if absent. taskset(1) has to be there. */
  constructor({ cpu }: { cpu?: number } = {}) {
    this.#cpu = cpu;
  }

  /** Start the process if it does not run; loading vitest takes most of a second. */
  warmUp(): Promise<void> {
    if (this.#child !== null) return this.#ready;
    const judge = [process.execPath, ...(process.geteuid?.() === 0 ? [] : FORKS), builtFile('grade'), 'judge'];
    // Threads of Node exist before its first line runs, so the CPU is chosen before Node is.
    const [program = '', ...args] = this.#cpu === undefined ? judge : ['taskset', '-c', String(this.#cpu), ...judge];
    const child = spawn(program, args, {
      cwd: home,
      // What vitest prints is not for the reader of a verdict; what it dies of is.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'test', NO_COLOR: '1', FORCE_COLOR: undefined },
    });
    this.#child = child;
    this.#ready = new Promise((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        if (this.#child === child) this.#child = null;
        // One that was killed could not put away what it had laid out.
        if (signal !== null) removeStaleSessions();
        reject(new Error(`The judging process ended (${signal ?? `exit code ${code}`}).`));
      });
    });
    this.#ready.catch(() => {});
    return this.#ready;
  }

  /** One suite at a time; `onTest` is called as each of its tests ends. @throws Error when the judging process fails, which says nothing about the learner. */
  run(request: Omit<JudgeRequest, 'id'>, onTest?: (title: string) => void): Promise<JudgeAnswer> {
    const result = this.#turn.then(() => this.#run({ ...request, id: ++this.#asked }, onTest));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #run(request: JudgeRequest, onTest?: (title: string) => void): Promise<JudgeAnswer> {
    await this.warmUp();
    const child = this.#child!;
    return await new Promise<JudgeAnswer>((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`The suite was not over after ${LONGEST_SUITE / 1000} seconds.`));
      }, LONGEST_SUITE);
      // A caller that is told this begins anew, and not before the session is gone.
      let spent: JudgeAnswer | undefined;
      const onMessage = (message: JudgeAnswer | JudgeProgress) => {
        if ('tested' in message) onTest?.(message.tested);
        else if (message.id === request.id && message.spent === undefined) finish(() => resolve(message));
        else if (message.id === request.id) spent = message;
      };
      const onExit = (code: number | null, signal: string | null) =>
        finish(() => {
          if (spent !== undefined) resolve(spent);
          else reject(new Error(`The judging process ended (${signal ?? `exit code ${code}`}).`));
        });
      const finish = (then: () => void) => {
        clearTimeout(timer);
        child.off('message', onMessage);
        child.off('exit', onExit);
        then();
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(request);
    });
  }

  /** Let the process be no reason for the caller's to stay. */
  unref(): void {
    this.#child?.unref();
    this.#child?.channel?.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.disconnect();
    });
  }
}
