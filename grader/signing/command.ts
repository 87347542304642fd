/** `grade keygen` and `grade verify`. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Command } from 'commander';
import { BadInput } from '../bad-input.ts';
import { printable } from '../batch/printable.ts';
import { type ReadDocument, readSigned } from '../export/read-reports.ts';
import { readLearnerFile } from '../harness/bundle.ts';
import { Refused } from '../harness/refused.ts';
import { makeKeys, PRIVATE_KEY, PUBLIC_KEY, readPublicKey } from './keys.ts';

export function addSigning(program: Command): void {
  program
    .command('keygen')
    .description('make the key pair that reports are signed with (Ed25519)')
    .argument('<directory>', `where ${PRIVATE_KEY} and ${PUBLIC_KEY} are written`)
    .addHelpText('after', '\nExample:\n  ./grade keygen ~/course-keys')
    .action((directory: string) => {
      makeKeys(directory);
      process.stdout.write(
        `Sign with ${path.join(directory, PRIVATE_KEY)}, which stays with you: ./grade batch … --sign FILE\n` +
          `Check with ${path.join(directory, PUBLIC_KEY)}, which may be public: ./grade verify … --key FILE\n`,
      );
    });

  program
    .command('verify')
    .description('check that reports were signed with your key, and not changed since')
    .argument('<reports...>', 'reports, with their signatures beside them in FILE.sig')
    .requiredOption('--key <file>', `the public key: ${PUBLIC_KEY}`)
    .option('--submission <directory>', 'check too that it holds the very files that were graded')
    .option('--json', 'print the verdicts as JSON')
    .addHelpText(
      'after',
      '\nExit code 0 when every report is signed; 1 when one is forged or unsigned, or is of other files; 2 for bad input.' +
        '\n\nExamples:\n  ./grade verify grades/submissions/*.json --key grading-key.pub.pem' +
        '\n  ./grade verify ada.json --key grading-key.pub.pem --submission submissions/ada',
    )
    .action(verify);
}

interface VerifyOptions {
  key: string;
  submission?: string;
  json?: boolean;
}

interface Line {
  file: string;
  verdict: ReadDocument['verdict'] | 'other-files';
  student?: string;
  points?: number;
  maxPoints?: number;
  gradedAt?: string;
  /** With the verdict `other-files`. */
  differs?: string[];
}

function verify(files: string[], { key, submission, json }: VerifyOptions): void {
  if (submission !== undefined && files.length > 1)
    throw new BadInput('--submission is the directory of one report. Give one report.');
  const publicKey = readPublicKey(key);
  const lines = files.map((file) => lineOf(file, readSigned(file, publicKey), submission));
  process.stdout.write(json ? `${JSON.stringify(lines, null, 2)}\n` : lines.map(textOf).join(''));
  process.exitCode = lines.every(({ verdict }) => verdict === 'signed') ? 0 : 1;
}

/** Of a document that is not signed nothing is told: it may say anything. */
function lineOf(file: string, { verdict, read }: ReadDocument, submission: string | undefined): Line {
  if (verdict !== 'signed' || read === undefined) return { file, verdict };
  if ('skipped' in read) return { file, verdict, student: read.student };
  const { points, maxPoints, gradedAt, labs } = read.report;
  const differs = submission === undefined ? [] : labs.filter((lab) => !holds(submission, lab)).map((lab) => lab.file);
  const student = read.student ?? path.basename(read.report.submission);
  if (differs.length > 0) return { file, verdict: 'other-files', student, differs };
  return { file, verdict, student, points, maxPoints, gradedAt };
}

/** A file that could not be read when it was graded has to be one that cannot be read. */
function holds(submission: string, { file, digest }: { file: string; digest: string | null }): boolean {
  try {
    const source = readLearnerFile(submission, file);
    return createHash('sha256').update(source).digest('hex') === digest;
  } catch (error) {
    if (error instanceof Refused) return digest === null;
    throw error;
  }
}

function textOf({ file, verdict, student, points, maxPoints, gradedAt, differs }: Line): string {
  const said: Record<Line['verdict'], string> = {
    signed:
      points === undefined
        ? `signed: ${printable(student ?? '')}, without a report`
        : `signed: ${printable(student ?? '')}, ${points} of ${maxPoints} points, graded ${gradedAt}`,
    forged: 'FORGED: the signature is not of this key, or the report was changed',
    unsigned: 'unsigned: it has no signature file beside it',
    'other-files': `signed, but for other files: ${(differs ?? []).map(printable).join(', ')}`,
  };
  return `${printable(file)}: ${said[verdict]}\n`;
}
