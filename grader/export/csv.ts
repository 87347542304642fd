/** Tables as CSV, RFC 4180, safe to open in a spreadsheet. */

import { stringify } from 'csv-stringify/sync';
import { plainLine } from './judged-tests.ts';

/**
 * One line for each row; cells are one line each. A cell that a spreadsheet would run as a formula (it begins with `=`,
 * `+`, `-`, `@`) gets an apostrophe in front.
 */
export function csvTable(rows: readonly (readonly (string | number | undefined)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => plainLine(String(cell ?? ''))));
  return stringify(cells, { escape_formulas: true });
}
