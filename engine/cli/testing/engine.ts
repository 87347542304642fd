import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bundle, plainEnv, type Ran, type RunOptions, run, runSkiff } from './ran.ts';

/** An engine of its own for a test: a root of its own, its daemon in the foreground, nothing left afterwards. */
export class TestEngine {
  readonly root: string;
  readonly socket: string;
  #daemon: ChildProcess | undefined;

  private constructor(root: string) {
    this.root = root;
    this.socket = path.join(root, 'run', 'skiff.sock');
  }

  static async start(): Promise<TestEngine> {
    const engine = new TestEngine(fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-cli-')));
    await engine.startDaemon();
    return engine;
  }

  /** `skiff daemon` in the foreground; resolves when it listens. */
  async startDaemon(): Promise<void> {
    const child = spawn(process.execPath, ['--', bundle, '--root', this.root, 'daemon'], {
      env: plainEnv(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#daemon = child;
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the daemon ended with ${code} before it listened`);
    });
    ended.catch(() => {});
    await Promise.race([once(child.stdout, 'data'), ended]);
    child.stdout.resume();
  }

  /** Tell the daemon to end; resolves to its exit code. */
  async stopDaemon(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#daemon;
    this.#daemon = undefined;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill(signal);
    return (await ended)[0];
  }

  skiff(args: string[], options?: RunOptions): Promise<Ran> {
    return runSkiff(['--root', this.root, ...args], options);
  }

  docker(args: string[], options?: RunOptions): Promise<Ran> {
    return run('docker', ['-H', `unix://${this.socket}`, ...args], options);
  }

  /** Names of the containers that are there, running or not. */
  async containers(): Promise<string[]> {
    const { stdout } = await this.skiff(['ps', '-a', '--format', '{{.Names}}']);
    return stdout.split('\n').filter(Boolean);
  }

  async removeContainers(): Promise<void> {
    const names = await this.containers();
    if (names.length > 0) await this.skiff(['rm', '-f', ...names]);
  }

  async destroy(): Promise<void> {
    await this.removeContainers();
    await this.stopDaemon();
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}
