/** The options of `grade batch`. */

import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { home } from '../harness/home.ts';
import { readPrivateKey } from '../signing/keys.ts';
import { gradeBatch } from './batch.ts';
import { progressOf } from './progress.ts';
import { terminalSummary } from './summary.ts';

interface Options {
  lab?: string[];
  jobs?: number;
  seed?: number;
  out?: string;
  only?: 'error';
  json?: boolean;
  sign?: string;
  hidden?: string;
}

/** What this command shares with `grade check`: how seeds are read, and what results are kept as. */
export interface Parts {
  seedOf: (text: string) => number;
  reportName: (file: string) => string;
}

export function addBatch(program: Command, { seedOf, reportName }: Parts): void {
  program
    .command('batch')
    .description('grade many submissions; run it again to go on where it was ended')
    .argument('<submissions>', 'a folder with one directory or archive for each student, or a roster (.csv)')
    .option('--lab <id...>', 'grade these labs only (id, number or folder name); a missing file earns 0 points')
    .option('--jobs <number>', 'grade so many at a time, each on one CPU (default: as many as there are CPUs)', jobsOf)
    .option('--seed <number>', 'draw the inputs of all from this number (default: each submission has its own)', seedOf)
    .option('--out <directory>', 'keep the results there (default: .workshop/batches/NAME)')
    .addOption(new Option('--only <state>', 'grade only those again that ended so').choices(['error']))
    .option('--hidden <pack>', 'judge with the hidden tests in this directory, too')
    .option('--sign <file>', 'sign every result with this private key, into FILE.sig beside it; see ./grade keygen')
    .option('--json', 'print the summary as JSON')
    .addHelpText(
      'after',
      '\nA roster has the columns student,submission,email,received; the last two may be left out, and paths are relative to it.' +
        '\nAttempts of one student are several lines that differ in when they were received.' +
        '\n\nExit code 0 when all could be graded, whatever the grades; 1 when the grader failed for some; 2 for bad input.' +
        '\n\nExamples:\n  ./grade batch submissions/ --lab store --out grades\n  ./grade batch roster.csv --out grades --only error',
    )
    .action(async (input: string, { lab, jobs, seed, only, json, out, sign, hidden }: Options) => {
      const kept = out ?? path.join(home, '.workshop/batches', reportNameOf(input, reportName));
      const onlyErrors = only === 'error';
      const key = sign === undefined ? undefined : readPrivateKey(sign);
      const options = { input, labs: lab, jobs, seed, out: kept, onlyErrors, hidden, key, progress: progressOf };
      const summary = await gradeBatch(options);
      process.stdout.write(json ? `${JSON.stringify(summary, null, 2)}\n` : `${terminalSummary(summary, kept)}\n`);
      process.exitCode = summary.count.error === 0 ? 0 : 1;
    });
}

const MOST_JOBS = 256;

function jobsOf(text: string): number {
  const jobs = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (jobs >= 1 && jobs <= MOST_JOBS) return jobs;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST_JOBS}.`);
}

/** What is missing is said by the reader of the submissions. */
function reportNameOf(input: string, reportName: Parts['reportName']): string {
  try {
    return reportName(input);
  } catch {
    return 'missing';
  }
}
