/** A class list as learning platforms export it: a table with a header, one row for each student. */

import { parse } from 'csv-parse/sync';
import { BadInput } from '../bad-input.ts';

export type RosterRow = Readonly<Record<string, string>>;

export interface Roster {
  columns: readonly string[];
  /** The row of the submission with this name, in upper or lower case. @throws BadInput if there is none or more than one */
  rowOf: (key: string) => RosterRow;
}

/** Columns that may hold the name of a submission, first choice first: Classroom 50's, Canvas's, Moodle's. */
const KEY_COLUMNS = [
  'username',
  'SIS Login ID',
  'Username',
  'login',
  'SIS User ID',
  'ID number',
  'email',
  'Email address',
];

/** @param keyColumn the column with the names of the submissions; found by its name if absent. @throws BadInput */
export function readRoster(text: string, file: string, keyColumn?: string): Roster {
  const [columns = [], ...cells] = table(text, file);
  const twice = columns.find((column, index) => column !== '' && columns.indexOf(column) !== index);
  if (twice !== undefined) throw new BadInput(`${file} has two columns "${twice}". Rename one of them.`);
  const key = keyColumn ?? KEY_COLUMNS.find((column) => columns.includes(column));
  if (key === undefined || !columns.includes(key))
    throw new BadInput(
      `${file} has no column ${keyColumn === undefined ? KEY_COLUMNS.map((name) => `"${name}"`).join(' or ') : `"${keyColumn}"`}. ` +
        `Its columns are ${columns.map((column) => `"${column}"`).join(', ')}. ` +
        'Name the one that holds the names of the submissions with --key.',
    );
  const rows = cells.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index] ?? ''])));
  return {
    columns,
    rowOf: (wanted) => {
      const found = rows.filter((row) => row[key]!.toLowerCase() === wanted.toLowerCase());
      if (found.length === 1) return found[0]!;
      throw new BadInput(
        found.length === 0
          ? `${file} has no row with "${wanted}" as its ${key}. Add the student, or name another column with --key.`
          : `${file} has ${found.length} rows with "${wanted}" as their ${key}. Keep one of them.`,
      );
    },
  };
}

function table(text: string, file: string): string[][] {
  const [header = ''] = text.split(/\r?\n/, 1);
  const delimiter = header.split(';').length > header.split(',').length ? ';' : ',';
  let rows: string[][];
  try {
    rows = parse(text, { bom: true, delimiter, trim: true, relax_column_count: true, skip_empty_lines: true });
  } catch (error) {
    throw new BadInput(`${file} cannot be read as CSV: ${(error as Error).message}. Export it again as CSV in UTF-8.`);
  }
  if (rows.length === 0)
    throw new BadInput(`${file} is empty. Give a CSV file with a header and a row for each student.`);
  return rows;
}
