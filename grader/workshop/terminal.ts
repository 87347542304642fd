/** How the workshop speaks: colours where they are wanted, and failures as whole sentences. */

import { Chalk } from 'chalk';

/** https://no-color.org: any non-empty value switches colours off, whatever else is set. */
export const paint = process.env.NO_COLOR ? new Chalk({ level: 0 }) : new Chalk();

export const isInteractive = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true;

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** Something the learner can put right. The message is a whole sentence and says what to do next. */
export class Advice extends Error {
  override readonly name = 'Advice';
  readonly exitCode: number;

  /** @param exitCode 1 for what went wrong, 2 for a command that was typed wrong. */
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Break `text` at spaces so that no line is wider than `width` columns; lines that are there stay. */
export function wrap(text: string, indent = '', width = columns()): string {
  return text
    .split('\n')
    .flatMap((line) => wrapLine(line, Math.max(20, width - indent.length)))
    .map((line) => `${indent}${line}`.trimEnd())
    .join('\n');
}

function wrapLine(line: string, width: number): string[] {
  // Code and tables keep their form.
  if (/^\s{2,}/.test(line)) return [line];
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ')) {
    if (current !== '' && current.length + 1 + word.length > width) {
      lines.push(current);
      current = word;
    } else {
      current = current === '' ? word : `${current} ${word}`;
    }
  }
  return [...lines, current];
}

/** The terminal's width, at most 110: longer lines are hard to read. */
export function columns(): number {
  return Math.min(110, process.stdout.columns || 80);
}
