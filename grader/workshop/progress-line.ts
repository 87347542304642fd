/** One line that says what is going on, where a person waits at a terminal; on standard error, and gone at the end. */

import { columns, paint } from './terminal.ts';

export interface ProgressLine {
  step(): void;
  end(): void;
}

/** @param of how many steps there are. */
export function progressLine(what: string, of: number): ProgressLine {
  if (!process.stderr.isTTY) return { step() {}, end() {} };
  let done = 0;
  const show = () => process.stderr.write(`\r\x1b[K${paint.dim(`  ${what} … ${done} of ${of}`.slice(0, columns()))}`);
  const clear = () => void process.stderr.write('\r\x1b[K');
  // Ctrl-C leaves the prompt on a clean line.
  process.once('exit', clear);
  show();
  return {
    step() {
      done += 1;
      show();
    },
    end() {
      process.off('exit', clear);
      clear();
    },
  };
}
