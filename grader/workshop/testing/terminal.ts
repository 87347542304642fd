/** A real terminal to drive a command in: tmux, with a server of its own. */

import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Why there is none; null when there is. */
export const terminalMissing: string | null =
  spawnSync('tmux', ['-V']).status === 0 ? null : 'tmux is missing: apt-get install --no-install-recommends tmux';

export interface Terminal extends Disposable {
  /** Names of keys, as tmux(1) has them: `Enter`, `Down`, `C-c`, or letters. */
  press: (...keys: string[]) => void;
  resize: (columns: number, rows: number) => void;
  screen: () => string;
  /** Wait until the screen looks like this. @throws Error that shows the screen. */
  until: (pattern: RegExp, milliseconds?: number) => Promise<string>;
}

/** @param command of a shell; when it ends the screen says `ended with N`. */
export function openTerminal(
  command: string,
  options: { cwd: string; columns?: number; rows?: number; env?: Record<string, string> },
): Terminal {
  const { cwd, columns = 90, rows = 40, env = {} } = options;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'terminal-'));
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-f', '/dev/null', '-S', path.join(folder, 'socket'), ...args], { encoding: 'utf8' });
  const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const size = ['-x', String(columns), '-y', String(rows)];
  tmux('new-session', '-d', '-s', 't', ...size, '-c', cwd, ...variables, `${command}; echo "ended with $?"; exec cat`);
  const screen = () => tmux('capture-pane', '-p', '-t', 't');
  return {
    press: (...keys) => tmux('send-keys', '-t', 't', ...keys),
    resize: (x, y) => tmux('resize-window', '-t', 't', '-x', String(x), '-y', String(y)),
    screen,
    until: async (pattern, milliseconds = 180_000) => {
      const end = Date.now() + milliseconds;
      for (;;) {
        const seen = screen();
        if (pattern.test(seen)) return seen;
        if (Date.now() > end) throw new Error(`The screen never looked like ${pattern}. It is:\n${seen}`);
        // tmux sends no event when a screen changes.
        await pause(40);
      }
    },
    [Symbol.dispose]: () => {
      tmux('kill-server');
      fs.rmSync(folder, { recursive: true });
    },
  };
}
