import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** A real terminal for a test: a tmux server of its own, with a shell in it whose prompt is `outside: `. */
export class Terminal {
  readonly #server = `skiff-${process.pid}-${randomBytes(4).toString('hex')}`;

  constructor(columns: number, rows: number) {
    const size = ['-x', String(columns), '-y', String(rows)];
    this.#tmux('-f', '/dev/null', 'new-session', '-d', ...size, '-s', 'main', "env PS1='outside: ' sh");
  }

  /** Type text as it is. */
  type(text: string): void {
    this.#tmux('send-keys', '-t', 'main', '-l', text);
  }

  /** Press keys by tmux's names: `Enter`, `C-c`. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', '-t', 'main', ...keys);
  }

  /** Type a line and press Enter. */
  enter(line: string): void {
    this.type(line);
    this.press('Enter');
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-t', 'main', '-x', String(columns), '-y', String(rows));
  }

  /** What is to be seen: lines that the terminal had to wrap joined, without the empty ones at the end. */
  screen(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-t', 'main', '-S', '-').replace(/\n+$/, '');
  }

  /** Resolves to the match once the screen shows it. A screen sends no event when it has changed. */
  async shows(pattern: RegExp, patience = 60_000): Promise<RegExpExecArray> {
    for (const end = Date.now() + patience; Date.now() < end; ) {
      const match = pattern.exec(this.screen());
      if (match !== null) return match;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the terminal did not show ${pattern} but:\n${this.screen()}`);
  }

  /** Forget what was shown so far, once nothing more is about to be shown. */
  clear(): void {
    this.#tmux('send-keys', '-R', '-t', 'main');
    this.#tmux('clear-history', '-t', 'main');
  }

  close(): void {
    this.#tmux('kill-server');
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#server, ...args], { encoding: 'utf8' });
  }
}
