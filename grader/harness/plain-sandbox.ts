/**
 * No sandbox at all: a child process, for a learner's own pure lab on a machine that lets nobody make namespaces. It
 * keeps judge and judged apart, and protects nothing else, so it is never used for a grade.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { builtFile, home } from './home.ts';
import { rootfsTemplate } from './rootfs.ts';
import type { Ending, SubjectPlace } from './sandbox.ts';
import { SESSION_PREFIX } from './session-paths.ts';

const MOST_OUTPUT_KEPT = 64 << 10;

export class PlainSandbox implements SubjectPlace {
  readonly inside = fs.mkdtempSync(path.join(os.tmpdir(), `${SESSION_PREFIX}${process.pid}-plain-`));
  readonly outside = this.inside;
  readonly ended: Promise<Ending>;
  readonly flooded = false;
  readonly #child: ChildProcess;
  #printed = '';

  constructor() {
    for (const folder of ['scratch', 'work']) fs.mkdirSync(path.join(this.inside, folder));
    fs.symlinkSync(path.join(home, 'node_modules'), path.join(this.inside, 'node_modules'));
    const flags = ['--single-threaded', '--v8-pool-size=0', '--enable-source-maps'];
    this.#child = spawn(process.execPath, [...flags, builtFile('subject'), this.inside, rootfsTemplate()], {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: this.inside, TMPDIR: this.inside },
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (chunk) => {
        this.#printed = (this.#printed + chunk).slice(-MOST_OUTPUT_KEPT);
      });
    this.ended = new Promise((resolve) =>
      this.#child.once('close', (exitCode, signal) => resolve({ exitCode, signal, oomKilled: false })),
    );
  }

  get pid(): number {
    return this.#child.pid!;
  }

  printed(): string {
    return this.#printed;
  }

  async destroy(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
    fs.rmSync(this.inside, { recursive: true, force: true });
  }
}
