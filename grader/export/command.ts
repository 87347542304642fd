/** `grade export`: canonical reports in, one document of another format out. */

import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { BadInput } from '../bad-input.ts';
import { refuse } from '../batch/submission.ts';
import { home } from '../harness/home.ts';
import { readLabs } from '../lab.ts';
import { policyOf } from '../policy/command.ts';
import { readPublicKey } from '../signing/keys.ts';
import { nearest } from '../workshop/nearest.ts';
import {
  courseClass,
  type OpenGrade,
  onlyLab,
  openGrades,
  type ReadReport,
  studentOf,
  withUngradedAsZero,
} from './course-class.ts';
import { currentResults } from './current-results.ts';
import type { ClassExporter, Exporter, ReportExporter } from './exporter.ts';
import { exporters } from './exporters.ts';
import { readReport, readSigned, readText, type SkippedResult } from './read-reports.ts';
import { readRoster } from './roster.ts';
import { settled } from './settled.ts';
import { writeDocument } from './write-document.ts';

interface Options {
  format?: string;
  out?: string;
  roster?: string;
  key?: string;
  lab?: string;
  ungradedAsZero?: boolean;
  policy?: string;
  signedBy?: string;
  list?: boolean;
  json?: boolean;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('write reports in the format of another program: a learning platform, a CI system')
    .argument(
      '[reports...]',
      'reports of ./grade check --json, or the submissions/*.json of ./grade batch; - for standard input',
    )
    .option('--format <name>', 'the format to write; --list shows them')
    .option('--out <file>', 'write the document there, not to standard output; a directory: one file for each report')
    .option('--roster <file>', 'CSV with the students, as the learning platform exports it (canvas, moodle, lti)')
    .option('--key <column>', "the roster's column with the names of the submissions")
    .option('--lab <id>', 'export the grades of this lab only (canvas, moodle, lti)')
    .option('--ungraded-as-zero', 'count points that could not be graded as lost (canvas, moodle, lti)')
    .option(
      '--policy <file>',
      'count in deadlines, lateness and attempts, as grade gradebook does (canvas, moodle, lti)',
    )
    .option('--signed-by <file>', 'refuse reports that were not signed with this public key, or changed since')
    .option('--list', 'list the formats')
    .option('--json', 'with --list or --out: print what was listed or written as JSON')
    .addHelpText(
      'after',
      '\nResults of ./grade batch without a report (empty, unreadable) are skipped, and standard error names them.' +
        '\nA grade with points that could not be graded is left open, and standard error says whose it is.' +
        '\nGrades set with ./grade override count in what is written for a class.' +
        '\nExit code 0 when all was written; 2 for bad input.' +
        '\n\nExamples:' +
        '\n  ./grade export --list' +
        '\n  ./grade export ada.json --format junit --out ada.xml' +
        '\n  ./grade export reports/*.json --format gradescope --out results/' +
        '\n  ./grade export reports/*.json --format canvas --roster gradebook.csv --out grades.csv' +
        '\n  ./grade export report.json --format github-summary >> "$GITHUB_STEP_SUMMARY"',
    )
    .action(run);
}

function run(files: string[], options: Options): void {
  if (options.list) {
    process.stdout.write(listOf(options));
    return;
  }
  const exporter = exporterOf(options);
  checkOptions(exporter, files, options);
  const read = options.signedBy === undefined ? files.map(readReport) : readAllSigned(files, options.signedBy);
  const { current, open, foreign } = currentResults(read);
  const reports = current.filter((each) => 'report' in each);
  const outdated = open.map(({ from, student = '', received }) => ({
    from,
    student,
    received,
    isError: true,
    skipped: 'not graded yet',
  }));
  const skipped = [...current.filter((each) => 'skipped' in each), ...outdated];
  const unread = [
    ...skipped.map(({ from, student, skipped: why }) => `Skipped: ${from}, ${student}: ${why}\n`),
    ...foreign.map(({ from }) => `Skipped: ${from}: it is of an earlier run of grade batch\n`),
  ].join('');
  const isClass = 'ofClass' in exporter;
  const done = isClass
    ? exportClass(exporter, { reports, skipped, unread }, options)
    : exportEach(exporter, reports, options, unread);
  const input = done.documents.find(({ file }) => file !== undefined && files.some((each) => isSameFile(each, file)));
  if (input !== undefined)
    throw new BadInput(`${input.file} is one of the reports and would be overwritten. Name another place with --out.`);
  const { roster } = options;
  if (roster !== undefined && done.documents.some(({ file }) => file !== undefined && isSameFile(roster, file)))
    throw new BadInput(`${roster} is the roster and would be overwritten. Name another place with --out.`);
  process.stderr.write(unread);
  // Only when all of them could be made is anything written.
  for (const { file, text } of done.documents) {
    if (file === undefined) process.stdout.write(text);
    else writeDocument(file, text, 'ofClass' in exporter ? 0o600 : 0o666);
  }
  if (options.json) {
    const written = done.documents.map(({ file }) => file);
    process.stdout.write(`${JSON.stringify({ format: exporter.name, files: written, open: done.open })}\n`);
  }
  for (const { student, lab, ungradedPoints } of done.open)
    process.stderr.write(`Left open: ${student}, lab ${lab}: ${ungradedPoints} points could not be graded.\n`);
  if (done.open.length > 0)
    process.stderr.write(
      'Grade these again where they can be graded, or count them as lost with --ungraded-as-zero.\n',
    );
}

/** @throws BadInput that names every report without the signature */
function readAllSigned(files: string[], key: string): ReturnType<typeof readReport>[] {
  const publicKey = readPublicKey(key);
  const read: ReturnType<typeof readReport>[] = [];
  const refused: string[] = [];
  for (const file of files) {
    const document = readSigned(file, publicKey);
    if (document.read === undefined) refused.push(`${file} is ${document.verdict}. Nothing was exported.`);
    else read.push(document.read);
  }
  refuse(refused);
  return read;
}

function listOf({ json }: Options): string {
  const width = Math.max(...exporters.map(({ name }) => name.length));
  if (!json) return exporters.map(({ name, about }) => `${name.padEnd(width)}  ${about}\n`).join('');
  const formats = exporters.map((each) => ({
    name: each.name,
    about: each.about,
    extension: each.extension,
    holds: 'ofClass' in each ? 'class' : 'report',
  }));
  return `${JSON.stringify(formats)}\n`;
}

function exporterOf({ format }: Options): Exporter {
  const names = exporters.map(({ name }) => name);
  if (format === undefined) throw new BadInput(`Name the format with --format: ${names.join(', ')}.`);
  const found = exporters.find(({ name }) => name === format);
  if (found !== undefined) return found;
  const near = nearest(format, names);
  throw new BadInput(
    `There is no format "${format}". ${near === undefined ? `The formats are ${names.join(', ')}.` : `Did you mean "${near}"?`}`,
  );
}

function checkOptions(exporter: Exporter, files: string[], options: Options): void {
  if (files.length === 0)
    throw new BadInput(`Name the reports to export, for example: ./grade export report.json --format ${exporter.name}`);
  if (files.filter((file) => file === '-').length > 1)
    throw new BadInput('Standard input, "-", can be read only once.');
  if (options.json && (options.out === undefined || options.out === '-'))
    throw new BadInput('--json needs --out FILE or --list: without them standard output is the document.');
  if (options.key !== undefined && options.roster === undefined)
    throw new BadInput('--key names a column of the roster. Give the roster with --roster FILE.');
  const forClass = [
    ...(options.roster === undefined ? [] : ['--roster']),
    ...(options.lab === undefined ? [] : ['--lab']),
    ...(options.ungradedAsZero ? ['--ungraded-as-zero'] : []),
    ...(options.policy === undefined ? [] : ['--policy']),
  ];
  if (forClass.length > 0 && !('ofClass' in exporter))
    throw new BadInput(
      `${forClass.join(' and ')} cannot be used with --format ${exporter.name}, which holds one report.`,
    );
}

interface Done {
  documents: { /** Absent: standard output. */ file?: string; text: string }[];
  open: OpenGrade[];
}

interface ClassResults {
  reports: ReadReport[];
  skipped: SkippedResult[];
  /** What is said of those without a report. */
  unread: string;
}

function exportClass(exporter: ClassExporter, { reports, skipped, unread }: ClassResults, options: Options): Done {
  const { out, roster, key } = options;
  if (out !== undefined && isDirectory(out))
    throw new BadInput(`--format ${exporter.name} writes one file, and ${out} is a directory. Name a file in it.`);
  const list = roster === undefined ? undefined : readRoster(readText(roster, 'roster'), roster, key);
  const judged = options.ungradedAsZero ? withUngradedAsZero(reports) : reports;
  const labs = readLabs(home);
  const students = [...judged.map(studentOf), ...skipped.map(({ student }) => student)];
  const policy = policyOf(
    options.policy,
    labs.map(({ id }) => id),
    students,
  );
  const counted = settled(judged, skipped, policy, labs);
  if (counted.grades.length === 0) throw new BadInput(`None of the files holds a report.\n${unread.trimEnd()}`);
  const whole = courseClass(counted.reports, list, counted.grades, labs);
  const course = options.lab === undefined ? whole : onlyLab(whole, options.lab);
  return { documents: [{ file: fileOf(out), text: exporter.ofClass(course) }], open: openGrades(course) };
}

function exportEach(exporter: ReportExporter, reports: ReadReport[], { out }: Options, unread: string): Done {
  if (reports.length === 0) throw new BadInput(`None of the files holds a report.\n${unread.trimEnd()}`);
  const texts = reports.map(({ from, report }) => ({ from, text: exporter.ofReport(report, process.env) }));
  if (out === undefined || !isDirectory(out)) {
    if (texts.length > 1)
      throw new BadInput(
        `--format ${exporter.name} holds one report, and ${texts.length} were given. ` +
          'Give one of them, or a directory to write a file for each: --out DIRECTORY/',
      );
    return { documents: texts.map(({ text }) => ({ file: fileOf(out), text })), open: [] };
  }
  const documents = texts.map(({ from, text }) => ({
    file: path.join(out, `${path.basename(from, '.json')}.${exporter.extension}`),
    text,
  }));
  const twice = documents.find(({ file }, index) => documents.findIndex((other) => other.file === file) !== index);
  if (twice !== undefined)
    throw new BadInput(`Two of the reports would be written to ${twice.file}. Give reports with different names.`);
  return { documents, open: [] };
}

function fileOf(out: string | undefined): string | undefined {
  return out === '-' ? undefined : out;
}

function isDirectory(out: string): boolean {
  return out.endsWith('/') || statOf(out)?.isDirectory() === true;
}

function isSameFile(one: string, other: string): boolean {
  // A directory on the way may be made only when the document is written.
  const [first, second] = [statOf(one), statOf(other) ?? statOf(path.resolve(other))];
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
}

/** Undefined if nothing can be there; the attempt to write says why. */
function statOf(file: string): fs.BigIntStats | undefined {
  try {
    return fs.statSync(file, { bigint: true });
  } catch {
    return undefined;
  }
}
