/** The program nft(8): one transaction of nftables, of which the kernel takes all or nothing. */

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { NetworkError } from './errors.ts';

const MOST_WORDS = 2000;
const MOST_MILLISECONDS = 30_000;

/** Found by the daemon's PATH and in the places where distributions put it, which an ordinary PATH lacks. */
function searchPath(): string {
  return `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
}

/** Whether there is an nft that could be run. */
export function hasNft(): boolean {
  return searchPath()
    .split(':')
    .filter(Boolean)
    .some((directory) => isExecutable(path.join(directory, 'nft')));
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Carry out `commands`, in nft's own language.
 * @param milliseconds after which nft is killed
 * @throws NetworkError with nft's words, or that says how to install nft. Nothing has changed then.
 */
export async function runNft(commands: string, program = 'nft', milliseconds = MOST_MILLISECONDS): Promise<void> {
  const env = { ...process.env, PATH: searchPath(), LC_ALL: 'C' };
  const child = spawn(program, ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'], env });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    if (words.length < MOST_WORDS) words += chunk;
  });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
    // A child of its own may keep the pipe open.
    child.stderr.destroy();
  }, milliseconds);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  // If nft ends early, its exit says why.
  child.stdin.on('error', () => {});
  child.stdin.end(commands);
  let code: number | null;
  try {
    code = await ended;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new NetworkError(
      'A network needs the program nft, which is not installed. Install the package nftables, or use --network none or --network host.',
    );
  } finally {
    clearTimeout(limit);
  }
  if (isLate)
    throw new NetworkError(
      `nft did not end within ${milliseconds / 1000} s and was killed. Try "nft list tables", and end the program that keeps it waiting.`,
    );
  if (code !== 0) throw new NetworkError(`nft failed: ${words.trim().slice(0, MOST_WORDS) || `exit code ${code}`}.`);
}
