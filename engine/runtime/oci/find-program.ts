import { accessSync, constants, statSync } from 'node:fs';
import { KernelError } from '#kernel/errors';

const ENOENT = 2;
const EACCES = 13;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Whether there is a program `name` for the user that the caller has become, asked without running it, so that `create` can tell
 * before `start` does. The words are those that other runtimes have, since their callers look for them.
 * @throws KernelError of execve, ENOENT or EACCES.
 */
export function requireProgram(name: string, env: string[]): void {
  const path = env.find((variable) => variable.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  const candidates = name.includes('/') ? [name] : path.split(':').map((directory) => `${directory || '.'}/${name}`);
  const there = candidates.filter(isFile);
  if (name !== '' && there.some(isExecutable)) return;
  const failure = new KernelError('execve', there.length > 0 ? EACCES : ENOENT, name);
  const words =
    there.length > 0
      ? 'permission denied'
      : name.includes('/')
        ? 'no such file or directory'
        : 'executable file not found in $PATH';
  failure.message = `exec: ${JSON.stringify(name)}: ${words}`;
  throw failure;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
