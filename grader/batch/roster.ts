/** A roster: a CSV file (RFC 4180) with the columns student, submission and, if wanted, email and received. */

import fs from 'node:fs';
import path from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import * as z from 'zod';
import { BadInput } from '../bad-input.ts';
import { isArchive } from './archive.ts';
import { linkProblem, refuse, type Submission, twins } from './submission.ts';

const COLUMNS = ['student', 'submission', 'email', 'received'];
const receivedSchema = z.iso.datetime({ offset: true });
const LARGEST = 16 << 20;

interface Row {
  record: Record<string, string>;
  info: { lines: number };
}

/** Submissions are relative to the roster. @throws BadInput that names everything that is wrong at once, by line. */
export function readRoster(file: string): Submission[] {
  const folder = path.dirname(path.resolve(file));
  const problems: string[] = [];
  const submissions: Submission[] = [];
  for (const { record, info } of rowsOf(file)) {
    const { student = '', submission: name = '', email = '', received = '' } = record;
    const problem = (text: string) => problems.push(`${file}, line ${info.lines}: ${text}`);
    if (student === '') problem('the student has no name. Fill in the column "student".');
    else if (/\p{Cc}/u.test(student)) problem('the name of the student has a line break or a control character.');
    else if (name === '')
      problem(`"${student}" has no submission. Fill in the column "submission", or remove the line.`);
    else if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email)) problem(`"${email}" is not an email address.`);
    else if (received !== '' && !receivedSchema.safeParse(received).success)
      problem(`"${received}" is not a date and a time with its zone, for example 2026-12-04T23:59:00+01:00.`);
    else {
      const place = path.resolve(folder, name);
      const wrong = problemAt(place, name, student);
      if (wrong !== undefined) problem(wrong);
      else
        submissions.push({
          student,
          name,
          place: fs.realpathSync(place),
          ...(email === '' ? {} : { email }),
          ...(received === '' ? {} : { received }),
        });
    }
  }
  problems.push(...twins(submissions));
  if (problems.length === 0 && submissions.length === 0)
    problems.push(`${file} has no students. Write one line for each: student,submission,email.`);
  refuse(problems);
  return submissions;
}

function rowsOf(file: string): Row[] {
  const { size } = fs.statSync(file);
  if (size > LARGEST) throw new BadInput(`${file} has ${size} bytes; a roster may have at most ${LARGEST}.`);
  let header: string[] = [];
  try {
    const rows = parse(fs.readFileSync(file, 'utf8'), {
      bom: true,
      trim: true,
      skip_empty_lines: true,
      info: true,
      columns: (names: string[]) => {
        header = names.map((name) => name.toLowerCase());
        return header;
      },
    }) as unknown as Row[];
    checkHeader(file, header);
    return rows;
  } catch (error) {
    if (error instanceof CsvError && header.length > 0) checkHeader(file, header);
    if (error instanceof CsvError) throw new BadInput(`${file} is not a CSV file that can be read: ${error.message}`);
    throw error;
  }
}

function checkHeader(file: string, header: string[]): void {
  if (header.length === 0) throw new BadInput(`${file} is empty. Its first line is: student,submission,email`);
  const unknown = header.filter((name) => !COLUMNS.includes(name));
  const twice = header.filter((name, index) => header.indexOf(name) !== index);
  const missing = ['student', 'submission'].filter((name) => !header.includes(name));
  refuse([
    ...missing.map((name) => `${file} has no column "${name}". Its first line is: student,submission,email`),
    ...unknown.map(
      (name) => `${file} has an unknown column "${name}". The columns are student, submission, email and received.`,
    ),
    ...twice.map((name) => `${file} has the column "${name}" twice.`),
  ]);
}

function problemAt(place: string, name: string, student: string): string | undefined {
  const stat = fs.lstatSync(place, { throwIfNoEntry: false });
  if (stat === undefined) return `the submission of "${student}" is missing: there is no ${name}.`;
  if (stat.isSymbolicLink()) return linkProblem(name, place);
  if (stat.isDirectory() || (stat.isFile() && isArchive(name))) return undefined;
  return `${name} is neither a directory nor an archive (.zip, .tar.gz, .tgz, .tar).`;
}
