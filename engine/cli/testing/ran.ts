import { spawn } from 'node:child_process';
import path from 'node:path';

const home = path.resolve(import.meta.dirname, '../../..');

/** The command's bundle, as the launcher runs it. Tests that need it run after the build of their global setup. */
export const bundle = path.join(home, '.build/default/skiff.cjs');

export interface Ran {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string | Buffer;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** An environment in which nothing but what the test says decides where the engine is and how it speaks. */
export function plainEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env))
    if (name === 'SKIFF_BRIDGE' || !/^(SKIFF|DOCKER|NODE|VITEST)_/.test(name)) env[name] = value;
  return { ...env, ...extra };
}

/** Run a program to its end. */
export function run(file: string, args: string[], { input = '', env, cwd }: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: env ?? plainEnv(), cwd, stdio: 'pipe' });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

export function runSkiff(args: string[], options?: RunOptions): Promise<Ran> {
  // Without the dashes Node 20 reads --env-file itself, wherever it stands.
  return run(process.execPath, ['--', bundle, ...args], options);
}
