/**
 * Record the README's picture: real commands in a real terminal (tmux), in a clone of this repository.
 *
 *   npm run record      writes docs/recording/skiff.svg; needs root, tmux and the docker client
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cloneWorkingTree } from '../../grader/chapters/clone.ts';
import { drawScreens, type Screen } from './svg.ts';

const COLUMNS = 112;
const ROWS = 18;
const home = resolve(import.meta.dirname, '../..');
const state = mkdtempSync(join(tmpdir(), 'skiff-record-'));
const clone = cloneWorkingTree(home);
const server = join(state, 'tmux.sock');
const screens: Screen[] = [];

const tmux = (...args: string[]) => execFileSync('tmux', ['-S', server, ...args], { encoding: 'utf8' });

function shoot(seconds: number): void {
  screens.push({ lines: tmux('capture-pane', '-e', '-p', '-t', 'record').split('\n').slice(0, ROWS), seconds });
}

/** Type a command, take a picture, run it to its end, and take another one. */
function run(command: string, seconds: number): void {
  tmux('send-keys', '-t', 'record', '-l', command);
  shoot(1.2);
  tmux('send-keys', '-t', 'record', 'Enter');
  atPrompt();
  shoot(seconds);
}

/** The shell says so each time, right before it prints its prompt: then the last line of the screen begins with it. */
function atPrompt(): void {
  tmux('wait-for', 'prompt');
  while (!tmux('capture-pane', '-p', '-t', 'record').trimEnd().endsWith('$')) tmux('list-sessions');
}

/** A daemon in the foreground of its own; resolves with what ends it. */
async function startDaemon(socket: string, env: NodeJS.ProcessEnv): Promise<() => Promise<void>> {
  const daemon = spawn('./skiff', ['daemon', '--socket', socket], {
    cwd: clone.directory,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(daemon.stdout, 'data');
  return async () => {
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
  };
}

try {
  const environment = {
    ...process.env,
    SKIFF_ROOT: join(state, 'ship'),
    // What `--mine` starts has a root of its own, and goes by itself.
    SKIFF_IDLE_EXIT: '2',
    TERM: 'xterm-256color',
    PS1: '\\033[36m$\\033[0m ',
  };
  execFileSync('./workshop', ['list'], { cwd: clone.directory, env: environment, stdio: 'ignore' });
  writeFileSync(
    join(state, 'rc'),
    "PS1='\\[\\033[1;36m\\]~/skiff $\\[\\033[0m\\] '\nPROMPT_COMMAND='tmux wait-for -S prompt'\n",
  );
  execFileSync(
    'tmux',
    [
      '-S',
      server,
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-s',
      'record',
      '-x',
      String(COLUMNS),
      '-y',
      String(ROWS),
      `bash --rcfile ${join(state, 'rc')} -i`,
    ],
    { cwd: clone.directory, env: environment },
  );
  atPrompt();
  run('./workshop check namespaces | tail -n 12', 4);
  copyFileSync(
    join(clone.directory, 'solutions/02-namespaces/namespaces.ts'),
    join(clone.directory, 'labs/02-namespaces/namespaces.ts'),
  );
  run('clear; : an hour later; ./workshop check namespaces', 5);
  run("clear; ./skiff --mine run --rm hostbox sh -c 'hostname; id; ps'", 5);
  const socket = join(tmpdir(), 'ship.sock');
  const stopDaemon = await startDaemon(socket, environment);
  run('clear; export DOCKER_HOST=unix:///tmp/ship.sock', 1);
  run('docker run --rm hostbox echo hello from the stock docker command', 3);
  run('docker run -d --name lighthouse hostbox sleep 1000', 2);
  run('docker ps', 4);
  run('docker rm -f lighthouse', 2);
  await stopDaemon();
  tmux('send-keys', '-t', 'record', 'exit', 'Enter');
  writeFileSync(join(home, 'docs/recording/skiff.svg'), drawScreens(screens, COLUMNS, ROWS));
} finally {
  try {
    tmux('kill-server');
  } catch {
    // It has ended with its last session.
  }
  clone.remove();
  rmSync(state, { recursive: true, force: true });
}
