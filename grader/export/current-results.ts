/** Which of the results that lie in a batch's directory are of its last run: earlier runs leave theirs. */

import fs from 'node:fs';
import path from 'node:path';
import { SUMMARY } from '../batch/results-folder.ts';
import { summaryIn } from '../policy/results.ts';

export interface Current<T> {
  /** Of the last run, or of no batch at all. */
  current: T[];
  /** Listed by the last run as not graded yet: their grade is open. */
  open: T[];
  /** Of a submission, or an attempt, that the last run did not have. */
  foreign: T[];
}

/** @throws BadInput for a summary that cannot be read */
export function currentResults<T extends { from: string }>(results: readonly T[]): Current<T> {
  const states = new Map<string, Map<string, string>>();
  const sorted: Current<T> = { current: [], open: [], foreign: [] };
  for (const result of results) {
    const out = batchOf(result.from);
    if (out === undefined) {
      sorted.current.push(result);
      continue;
    }
    const known =
      states.get(out) ?? new Map(summaryIn(out).map(({ file, state }) => [path.join(out, file), state] as const));
    states.set(out, known);
    const state = known.get(path.resolve(result.from));
    sorted[state === undefined ? 'foreign' : state === 'open' ? 'open' : 'current'].push(result);
  }
  return sorted;
}

/** The directory of the batch that a file is a result of; undefined for other files. */
export function batchOf(file: string): string | undefined {
  const folder = path.dirname(path.resolve(file));
  const out = path.dirname(folder);
  return path.basename(folder) === 'submissions' && fs.existsSync(path.join(out, SUMMARY)) ? out : undefined;
}
