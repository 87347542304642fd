/** What a batch grades: one directory or archive for each student. */

import fs from 'node:fs';
import path from 'node:path';
import { BadInput } from '../bad-input.ts';
import { isArchive } from './archive.ts';
import { printable } from './printable.ts';

export interface Submission {
  student: string;
  email?: string;
  /** RFC 3339 with its zone: when a server saw it. */
  received?: string;
  /** As the roster or the folder names it; reports call it so. */
  name: string;
  /** Absolute, and not a link. */
  place: string;
}

export interface Found {
  submissions: Submission[];
  /** Names in the folder that are not submissions, for people to see. */
  ignored: string[];
}

/**
 * Every directory and archive in a folder is the submission of the student it is named after, directories first.
 * @throws BadInput that names everything that is wrong at once.
 */
export function submissionsIn(folder: string): Found {
  const top = fs.realpathSync(folder);
  const problems: string[] = [];
  const ignored: string[] = [];
  const directories: Submission[] = [];
  const archives: Submission[] = [];
  for (const bytes of fs.readdirSync(top, { encoding: 'buffer' })) {
    const name = bytes.toString();
    if (!Buffer.from(name).equals(bytes)) {
      problems.push(`The name ${JSON.stringify(name)} is not UTF-8. Rename it.`);
      continue;
    }
    const place = path.join(top, name);
    const stat = fs.lstatSync(place);
    if (name.startsWith('.')) ignored.push(name);
    else if (stat.isSymbolicLink()) problems.push(linkProblem(name, place));
    else if (stat.isDirectory()) directories.push({ student: name, name, place });
    else if (stat.isFile() && isArchive(name)) archives.push({ student: withoutEnding(name), name, place });
    else ignored.push(name);
  }
  const submissions = [...directories.sort(byName), ...archives.sort(byName)];
  problems.push(...twins(submissions));
  if (problems.length === 0 && submissions.length === 0)
    problems.push(
      `${folder} holds no submissions. Give the folder that has one directory or archive (.zip, .tar.gz) for each student.`,
    );
  refuse(problems);
  return { submissions, ignored: ignored.sort() };
}

/** What a submission that is a link would be: another student's work, or a file of this machine. */
export function linkProblem(name: string, place: string): string {
  return `${name} is a symbolic link to ${fs.readlinkSync(place)}. Put the submission itself there.`;
}

/** Two students of one name, or two that hand in one submission. Attempts of one student differ in when they were received. */
export function twins(submissions: Submission[]): string[] {
  const problems: string[] = [];
  const students = new Map<string, Submission[]>();
  const places = new Map<string, Submission>();
  for (const each of submissions) {
    const student = each.student.normalize('NFC');
    const own = students.get(student) ?? [];
    // Names that only look alike are two rows in every table.
    const other = own.find((one) => one.student !== each.student || !areAttempts(one.received, each.received));
    if (other !== undefined)
      problems.push(
        `Two submissions are called "${each.student}": ${other.name} and ${each.name}. Rename one of them; ` +
          'attempts of one student need a roster with different times in the column "received".',
      );
    students.set(student, [...own, each]);
    const same = places.get(each.place);
    if (same !== undefined)
      problems.push(
        `"${same.student}" and "${each.student}" have the same submission, ${each.name}. Give each their own.`,
      );
    places.set(each.place, each);
  }
  return problems;
}

function areAttempts(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && Date.parse(one) !== Date.parse(other);
}

const MOST_SHOWN = 20;

/** @param problems one line each; they may hold names as they are. @throws BadInput if there are problems. */
export function refuse(problems: string[]): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, MOST_SHOWN).map(printable);
  const more = problems.length > MOST_SHOWN ? [`… and ${problems.length - MOST_SHOWN} more.`] : [];
  throw new BadInput([...shown, ...more].join('\n'));
}

function byName(a: Submission, b: Submission): number {
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}

function withoutEnding(name: string): string {
  return name.replace(/\.(zip|tar\.gz|tgz|tar)$/i, '');
}
