/** Tables as CSV, RFC 4180, safe to open in a spreadsheet. */

import { stringify } from 'csv-stringify/sync';
import { plainLine } from './judged-tests.ts';

/** Full-width forms are read as the plain ones, and quotes as those around a cell. */
const INNER_FORMULA = /;(?=[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/**
 * One line for each row; cells are one line each. A cell that a spreadsheet would run as a formula (it begins with `=`,
 * `+`, `-`, `@`) gets an apostrophe in front, also where it would begin after a `;`, which separates cells in many
 * countries.
 */
export function csvTable(rows: readonly (readonly (string | number | undefined)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => plainLine(String(cell ?? '')).replace(INNER_FORMULA, ";'")));
  return stringify(cells, { escape_formulas: true });
}
