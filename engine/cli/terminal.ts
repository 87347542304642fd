import { spawnSync } from 'node:child_process';

export interface TerminalSize {
  /** Rows, 1…65535. */
  h: number;
  /** Columns, 1…65535. */
  w: number;
}

/** The size of the terminal that standard output is, or undefined if it is not a terminal or does not tell. */
export function terminalSize(): TerminalSize | undefined {
  const { rows, columns } = process.stdout;
  return rows && columns ? { h: rows, w: columns } : undefined;
}

/**
 * Put the terminal at standard input into raw mode: every byte goes to the container, none means anything here.
 * Returns what puts it back. Node puts it back as well whenever the process ends by `exit`, SIGINT or SIGTERM.
 */
export function enterRawMode(): () => void {
  if (!process.stdin.isTTY) return () => {};
  process.stdin.setRawMode(true);
  // libuv's raw mode leaves output processing on, so a bare line feed of a full-screen program would also return to
  // the first column. termios(3), OPOST. Without stty(1) that is what one gets.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  let raw = true;
  return () => {
    if (raw) process.stdin.setRawMode(false);
    raw = false;
  };
}

/** Tell `resize` the size of the terminal now and whenever it changes. Returns what ends that. */
export function followTerminalSize(resize: (size: TerminalSize) => void): () => void {
  const tell = (): void => {
    const size = terminalSize();
    if (size !== undefined) resize(size);
  };
  tell();
  process.stdout.on('resize', tell);
  return () => process.stdout.off('resize', tell);
}
