/** The host's files as the guest sees them: a read-only view, served by virtiofsd. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import type { VmTools } from './tools.ts';
import { VmUnavailable } from './unavailable.ts';

/**
 * In a mount namespace of its own, so that no mount is ever left on the host: binds `/` without what is mounted on it
 * (the guest has its own /proc, /sys and /dev), then what is needed besides (pairs: what, where), and becomes virtiofsd.
 */
const MAKE_VIEW = `
set -e
view=$1; shift
mount --bind / "$view"
mount -o remount,bind,ro "$view"
while [ "$1" != -- ]; do
  mount --bind "$1" "$view$2"
  mount -o remount,bind,ro "$view$2"
  shift 2
done
shift
exec "$@"
`;

function mountPointOf(path: string): string {
  return execFileSync('findmnt', ['-n', '-o', 'TARGET', '-T', path], { encoding: 'utf8' }).trim();
}

function serverCommand(tools: VmTools, socket: string, view: string): string[] {
  // The guest is the only one to change what it sees, in its own layer above: everything may be cached.
  if (tools.virtiofsdIsOfQemu) {
    const options = ['-o', `source=${view}`, '-o', 'sandbox=chroot', '-o', 'cache=always', '-o', 'log_level=err'];
    return [tools.virtiofsd, '-f', `--socket-path=${socket}`, '--rlimit-nofile=0', '--thread-pool-size=1', ...options];
  }
  const options = ['--sandbox', 'chroot', '--cache', 'always', '--log-level', 'error', '--rlimit-nofile', '0'];
  return [tools.virtiofsd, '--socket-path', socket, '--shared-dir', view, ...options];
}

/** Resolves when `path` exists; there is a watch on its directory before the first look, so none is missed. */
async function appears(path: string, signal: AbortSignal): Promise<void> {
  const watcher = watch(dirname(path), { signal });
  while (!existsSync(path)) await once(watcher, 'change', { signal });
  watcher.close();
}

/** A directory that the guest sees in place of the one at `path`, which must exist. */
export interface Replacement {
  path: string;
  by: string;
}

/**
 * Serve `/` and the file systems that `paths` are on, read-only, on a vhost-user socket in `directory`. The server ends
 * by itself when the machine that connected to it has gone. `view` is an empty directory outside the server; it is to be
 * removed by rmdir(2) alone, which can never remove what a mount would show there.
 * @throws VmUnavailable with the server's own words when it ends before it listens.
 */
export async function shareFiles(
  tools: VmTools,
  directory: string,
  paths: string[],
  replacements: Replacement[],
): Promise<{ server: ChildProcess; socket: string; view: string }> {
  const view = join(directory, 'view');
  mkdirSync(view);
  const socket = join(directory, 'files.sock');
  const mounts = [...new Set(paths.map(mountPointOf))].filter((path) => path !== '/').map((path) => [path, path]);
  const extra = [...mounts, ...replacements.map(({ by, path }) => [by, path])].flat();
  const unshare = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', MAKE_VIEW, 'sh', view, ...extra, '--'];
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', ...unshare, ...serverCommand(tools, socket, view)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  server.stderr!.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });
  const stopWatching = new AbortController();
  const ended = once(server, 'exit').then(() => {
    throw new VmUnavailable(`The host’s files cannot be shared with the virtual machine: ${words.trim()}`);
  });
  ended.catch(() => {});
  try {
    await Promise.race([appears(socket, stopWatching.signal), ended]);
  } finally {
    stopWatching.abort();
  }
  return { server, socket, view };
}
