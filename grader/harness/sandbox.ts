/** Where a subject runs. */

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { builtFile, home } from './home.ts';

export interface SandboxRequest {
  /** A directory of the judge's with `channel` (its listening socket) and `module.cjs`. The sandbox sees it read-only. */
  judge: string;
  /** The prepared tree that containers get a copy of. */
  template: string;
  uid: 'root' | 'nobody';
}

/** How a subject came to its end. */
export interface Ending {
  exitCode: number | null;
  signal: string | null;
  oomKilled: boolean;
}

export interface Sandbox {
  /** The subject's pid on this machine. */
  pid: number;
  /** `judge` of the request, as the subject sees it. */
  judgeInside: string;
  /** The writable tree for containers, as the subject sees it. */
  rootfs: string;
  /** A writable, empty directory, as the subject sees it. */
  scratch: string;
  ended: Promise<Ending>;
  /** The last 64 KiB of what it printed, on both streams. */
  printed(): string;
  /** End everything in it, and take back everything made for it. */
  destroy(): Promise<void>;
}

const NODE = ['--single-threaded', '--v8-pool-size=0', '--enable-source-maps'];
const MOST_OUTPUT = 64 << 10;

export async function startSandbox({ judge, template }: SandboxRequest): Promise<Sandbox> {
  const rootfs = path.join(judge, 'rootfs');
  fs.symlinkSync(path.join(home, 'node_modules'), path.join(judge, 'node_modules'));
  fs.mkdirSync(path.join(judge, 'scratch'));
  const subject = [builtFile('subject'), path.join(judge, 'channel'), path.join(judge, 'module.cjs'), template, rootfs];
  const child = spawn(
    'unshare',
    [
      ...['--user', '--map-root-user', '--pid', '--mount', '--net', '--mount-proc', '--fork', '--kill-child'],
      ...[process.execPath, ...NODE, ...subject],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin', HOME: '/' } },
  );
  const ended = new Promise<Ending>((resolve) => {
    child.once('error', () => resolve({ exitCode: 127, signal: null, oomKilled: false }));
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, oomKilled: false }));
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-MOST_OUTPUT);
    });
  return {
    get pid() {
      return onlyChildOf(child.pid!);
    },
    judgeInside: judge,
    rootfs,
    scratch: path.join(judge, 'scratch'),
    ended,
    printed: () => output,
    async destroy() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function onlyChildOf(pid: number): number {
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return Number(children.split(' ')[0]);
}
