/** The instructor's command, `./grade`. */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Chalk, supportsColor } from 'chalk';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { endOnLostOutput } from '../engine/cli/lost-output.ts';
import { BadInput } from './bad-input.ts';
import { addBatch } from './batch/command.ts';
import { checkSubmission, typedPath } from './check.ts';
import { exportCommand } from './export/command.ts';
import { home } from './harness/home.ts';
import { judge } from './harness/judge.ts';
import { sandboxHost } from './harness/sandbox-host.ts';
import { trace } from './harness/tracer.ts';
import { addReport } from './pages/command.ts';
import { addGradebook, addOverrideCommand } from './policy/command.ts';
import { markdownReport } from './render/markdown.ts';
import { terminalReport } from './render/terminal.ts';
import type { Report } from './report.ts';
import { addSigning } from './signing/command.ts';
import { readPrivateKey } from './signing/keys.ts';
import { dropSignature, signFile } from './signing/signature.ts';
import { addSimilarity } from './similarity/command.ts';

/** Processes of the harness are this bundle, too: there is one file to find and to trust. */
const inner: Record<string, () => Promise<void>> = { judge, 'sandbox-host': sandboxHost, trace };

const program = new Command('grade')
  .description('Grade submissions of the course. Submitted code runs in a sandbox, and nothing it reports is trusted.')
  .exitOverride()
  .showSuggestionAfterError()
  .showHelpAfterError('See: ./grade --help')
  .action(() => program.help());

program
  .command('check')
  .description('grade one submission: a directory with labs/NN-id/MODULE.ts in it')
  .argument('<directory>', 'the submission')
  .option('--lab <id>', 'grade this lab only (id, number or folder name)')
  .option('--seed <number>', 'draw the inputs of the tests from this number, to repeat a report', seedOf)
  .option('--json <file>', 'write the report there; - for standard output')
  .option('--markdown <file>', 'write the report as Markdown there; - for standard output')
  .option('--hidden <pack>', 'judge with the hidden tests in this directory, too')
  .option('--sign <file>', 'sign the JSON report with this private key, into FILE.sig beside it; see ./grade keygen')
  .addHelpText(
    'after',
    '\nExit code 0 when it could be graded, whatever the grade; 1 when the grader failed; 2 for bad input.' +
      '\n\nExamples:\n  ./grade check submissions/ada\n  ./grade check . --lab process --json -',
  )
  .action(check);

program.addCommand(exportCommand().copyInheritedSettings(program));
addBatch(program, { seedOf, reportName });
addGradebook(program);
addOverrideCommand(program);
addReport(program);
addSigning(program);
addSimilarity(program);

const WITHOUT_ROOT =
  'Graded without root, so without limits of memory and processes: grade as root what you do not trust.';

interface Outputs {
  lab?: string;
  seed?: number;
  json?: string;
  markdown?: string;
  sign?: string;
  hidden?: string;
}

function seedOf(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (seed < 2 ** 31) return seed;
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${2 ** 31 - 1}.`);
}

async function check(directory: string, { lab, seed, json, markdown, sign, hidden }: Outputs): Promise<void> {
  if (sign !== undefined && json === '-')
    throw new BadInput('--sign writes a file beside the report. Give the report a file with --json FILE.');
  const key = sign === undefined ? undefined : readPrivateKey(sign);
  for (const file of [json, markdown]) if (file !== undefined && file !== '-') checkWritable(file);
  const report = await checkSubmission({
    directory,
    lab,
    seed,
    hidden,
    onLab: ({ title }) => process.stderr.isTTY && process.stderr.write(`\r\x1b[Kgrading ${title} …`),
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const kept = path.join(home, '.workshop/grades', reportName(directory));
  const documents = { json: `${JSON.stringify(report, null, 2)}\n`, markdown: markdownReport(report) };
  if (json !== '-') dropSignature(json ?? `${kept}.json`);
  write(json ?? `${kept}.json`, documents.json);
  if (key !== undefined) await signFile(json ?? `${kept}.json`, key);
  write(markdown ?? `${kept}.md`, documents.markdown);
  const summary = [
    terminalReport(report, new Chalk({ level: process.env.NO_COLOR || !supportsColor ? 0 : supportsColor.level })),
    ...(process.geteuid?.() === 0 ? [] : [WITHOUT_ROOT]),
    `Report: ${json ?? `${kept}.json`}, ${markdown ?? `${kept}.md`}`,
  ].join('\n');
  // Standard output belongs to the document that was asked for there.
  (json === '-' || markdown === '-' ? process.stderr : process.stdout).write(`${summary}\n`);
  process.exitCode = couldGrade(report) ? 0 : 1;
}

const LONGEST_NAME = 200;

/** What reports are kept as: the submission's name, told apart from others of that name by where they are. */
export function reportName(directory: string): string {
  const place = fs.realpathSync.native(typedPath(directory), { encoding: 'buffer' });
  const [base = ''] = place.toString().split('/').slice(-1);
  let name = '';
  for (const letter of base.replace(/[\p{C}\ufffd]/gu, '_') || 'root')
    if (Buffer.byteLength(name + letter) <= LONGEST_NAME) name += letter;
  return `${name}-${createHash('sha256').update(place).digest('hex').slice(0, 8)}`;
}

function couldGrade(report: Report): boolean {
  return report.labs.every(({ tasks }) => tasks.every(({ outcome }) => outcome !== 'error'));
}

/** Before minutes of grading are spent on a report that cannot be kept. */
function checkWritable(file: string): void {
  try {
    fs.closeSync(fs.openSync(file, 'a'));
  } catch (error) {
    throw new BadInput(`The report cannot be written to ${file}: ${(error as Error).message}`);
  }
}

function write(file: string, text: string): void {
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOSPC' ? 'its disk is full; make room or write it elsewhere with --json and --markdown' : message;
    throw new BadInput(`The report cannot be written to ${file}: ${why}.`);
  }
}

async function main(): Promise<void> {
  endOnLostOutput('grade');
  const role = inner[process.argv[2] ?? ''];
  if (role !== undefined) {
    // What a process of the harness dies of is read by its parent, and passed on to people.
    await role().catch((error: Error) => {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    });
    return;
  }
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else if (error instanceof BadInput) {
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 2;
    } else {
      process.stderr.write(`The grader failed: ${(error as Error).message}\n`);
      process.exitCode = 1;
    }
  }
}

void main();
