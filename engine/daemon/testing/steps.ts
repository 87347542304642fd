/** Daemon, shim and the shim's children, held up at a step of theirs. What a step is, and how it is done: steps.cjs. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';

export interface Step {
  actor: 'daemon' | 'shim' | 'child';
  /** The call that would come next, e.g. `renameSync` or `pivot_root`. */
  name: string;
  /** Which of the actor's steps it is, from 0. */
  index: number;
}

/** Bundles of daemon and shim that can be held up: to be made by `bundles`, which is for `TestDaemon.start`. */
export class Steps {
  #directory = '';
  #sequence = 0;
  #reached: Socket | null = null;
  #go = -1;

  readonly bundles = (from: string, to: string): void => {
    this.#directory = to;
    const hook = JSON.stringify(path.join(import.meta.dirname, 'steps.cjs'));
    for (const name of fs.readdirSync(from).filter((each) => each.endsWith('.cjs'))) {
      const hooked = name === 'daemon.cjs' || name === 'shim.cjs';
      const bundle = fs.readFileSync(path.join(from, name), 'utf8');
      fs.writeFileSync(path.join(to, name), hooked ? `require(${hook});${bundle}` : bundle);
    }
    fs.symlinkSync(path.resolve(from, '../../node_modules'), path.join(to, 'node_modules'));
    execFileSync('mkfifo', [path.join(to, 'reached'), path.join(to, 'go')]);
    this.#reached = new Socket({ fd: fs.openSync(path.join(to, 'reached'), 'r+'), readable: true, writable: false });
    this.#go = fs.openSync(path.join(to, 'go'), fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    fs.writeFileSync(path.join(to, 'steps'), '');
    this.#plan('nobody 0');
  };

  /** Write down from now on. */
  record(): void {
    fs.truncateSync(path.join(this.#directory, 'steps'));
    this.#plan('everybody -1');
  }

  /** What was written down. */
  recorded(): Step[] {
    this.#plan('nobody 0');
    const counts = { daemon: 0, shim: 0, child: 0 };
    return fs
      .readFileSync(path.join(this.#directory, 'steps'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [actor, ...name] = line.split(' ') as [Step['actor'], ...string[]];
        return { actor, name: name.join(' '), index: counts[actor]++ };
      });
  }

  /** Resolves when the step is reached; its actor waits then. */
  async hold({ actor, index }: Step): Promise<void> {
    const reached = new Promise<void>((resolve) => this.#reached!.once('data', () => resolve()));
    this.#forgetGo();
    this.#plan(`${actor} ${index}`);
    await reached;
  }

  /** Let the process that waits go on, and hold nobody up any more. */
  release(): void {
    this.#plan('nobody 0');
    fs.writeSync(this.#go, '.');
  }

  /** Hold nobody up. The process that waits has to be dead. */
  over(): void {
    this.#plan('nobody 0');
    this.#reached!.removeAllListeners('data');
  }

  close(): void {
    this.#reached?.destroy();
    if (this.#go >= 0) fs.closeSync(this.#go);
  }

  #plan(text: string): void {
    const file = fs.openSync(path.join(this.#directory, 'plan'), 'a+');
    fs.closeSync(file);
    // One write, so that a reader sees the old plan or the new one.
    const plan = fs.openSync(path.join(this.#directory, 'plan'), 'r+');
    fs.writeSync(plan, `${++this.#sequence} ${text}`.padEnd(64), 0, 'latin1');
    fs.closeSync(plan);
  }

  /** One who was killed while it waited has not read what was for it. */
  #forgetGo(): void {
    try {
      fs.readSync(this.#go, Buffer.alloc(64));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
