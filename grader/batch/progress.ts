/** How far a batch is: one line that changes on a terminal, and elsewhere one line for each submission. */

import { score } from '../render/words.ts';
import type { Entry } from './entry.ts';
import { printable } from './printable.ts';

export interface Progress {
  done(entry: Entry): void;
  end(): void;
}

/** @param total submissions to grade in this run. */
export function progressOf(total: number, output: NodeJS.WriteStream = process.stderr): Progress {
  const start = performance.now();
  let count = 0;
  let errors = 0;
  const line = () => {
    const left = count === 0 ? '' : `, about ${minutes(((performance.now() - start) / count) * (total - count))} left`;
    const failed = errors === 0 ? '' : `, ${errors} with an error`;
    output.write(`\r\x1b[Kgrading: ${count} of ${total}${failed}${left}`);
  };
  if (output.isTTY && total > 0) line();
  return {
    done(entry) {
      count += 1;
      if (entry.state === 'error') errors += 1;
      if (output.isTTY) line();
      else output.write(`[${count} of ${total}] ${printable(entry.student)}: ${resultOf(entry)}\n`);
    },
    end() {
      if (output.isTTY) output.write('\r\x1b[K');
    },
  };
}

/** Milliseconds in words. */
function minutes(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** What became of a submission, in one line. */
export function resultOf({ state, reason, report }: Entry): string {
  if (state === 'graded' && report !== null) return score(report);
  return `${state}: ${(reason ?? '').replace(/\s+/g, ' ').slice(0, 200)}`;
}
