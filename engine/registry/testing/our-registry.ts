/** `skiff registry serve` as a process of its own, on a free port of the loopback. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const bundle = fileURLToPath(new URL('../../../.build/default/registry.cjs', import.meta.url));

export interface OurRegistry {
  /** E.g. `127.0.0.1:40123`. */
  host: string;
  /** E.g. `http://127.0.0.1:40123`. */
  url: string;
  /** Where it keeps everything. */
  data: string;
  process: ChildProcess;
  /** Standard error so far. */
  log(): string;
  /** End it, with SIGTERM unless told otherwise; resolves when the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** `skiff registry check` or `gc`: its exit code and what it printed. */
export function registryCommand(...args: string[]): { code: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bundle, ...args], { encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

/**
 * Resolves when it listens. Without `data` it has a directory that is gone after `stop`.
 * @param options of `skiff registry serve`, besides `--listen` and `--data`.
 * @param within a command that becomes the one whose words are appended to its own.
 */
export async function startOurRegistry(
  options: string[] = [],
  data?: string,
  within: string[] = [],
): Promise<OurRegistry> {
  const directory = data ?? mkdtempSync(path.join(tmpdir(), 'skiff-registry-'));
  const command = [...within, process.execPath, bundle, 'serve', '--listen', '127.0.0.1:0', '--data', directory];
  const child = spawn(command[0]!, [...command.slice(1), ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += `${chunk}`;
  });
  const ended = once(child, 'close');
  const line = await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
  const [, url = '', host = ''] = / listens on (https?:\/\/(\S+))$/.exec(`${line[0]}`) ?? [];
  if (url === '') throw new Error(`the registry did not start: ${log}`);
  return {
    host,
    url,
    data: directory,
    process: child,
    log: () => log,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await ended;
      if (data === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}
