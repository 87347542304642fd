/** What holds for each exporter, also for one that is added: its golden file, its form, and what odd texts do to it. */

import path from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import { BadInput } from '../bad-input.ts';
import { home } from '../harness/home.ts';
import { type Report, reportSchema } from '../report.ts';
import { courseClass, withUngradedAsZero } from './course-class.ts';
import type { Exporter } from './exporter.ts';
import { exporters } from './exporters.ts';
import { plainLine } from './judged-tests.ts';
import { readRoster } from './roster.ts';
import { ada, bob, environment, oddReport, oddText, rosterCsv } from './testing/reports.ts';

const read = (report: Report) => ({ from: `${path.basename(report.submission)}.json`, report });

function documentOf(exporter: Exporter, reports: Report[], roster?: string): string {
  if ('ofReport' in exporter) return exporter.ofReport(reports[0]!, environment);
  const list = roster ? readRoster(roster, 'roster.csv') : undefined;
  const all = reports.map(read);
  try {
    return exporter.ofClass(courseClass(all, list));
  } catch (error) {
    // Cells that would delete a grade are refused.
    if (!(error instanceof BadInput)) throw error;
    return exporter.ofClass(courseClass(withUngradedAsZero(all), list));
  }
}

/** Throws if the document is not what its extension says. */
const wellFormed: Record<Exporter['extension'], (text: string) => void> = {
  json: (text) => void JSON.parse(text),
  xml: (text) => {
    const parser = new SaxesParser({ xmlns: false });
    parser.on('error', (error) => {
      throw error;
    });
    parser.write(text).close();
  },
  csv: (text) => {
    const rows: string[][] = parse(text);
    // Where a semicolon separates, the same bytes are other cells; quotes at their beginning are not part of them.
    for (const row of parse(text, { delimiter: ';', quote: false, relax_column_count: true }) as string[][])
      for (const cell of row.slice(1)) expect(cell).not.toMatch(/^[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20]/);
    for (const cell of rows.flat()) expect(cell).not.toMatch(/^[\s]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/);
  },
  // A document for people has no form to break, but control bytes and half letters are never in it.
  md: (text) => expect(text).not.toMatch(/[^\P{Cc}\n\t]|\p{Cs}|\p{Bidi_Control}/u),
  txt: (text) => expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cs}|\p{Bidi_Control}/u),
};

describe.each(exporters.map((exporter) => [exporter.name, exporter] as const))('%s', (name, exporter) => {
  test('writes what its golden file holds', async () => {
    const text = documentOf(exporter, [ada, bob], rosterCsv);
    await expect(text).toMatchFileSnapshot(path.join(home, 'grader/export/testdata', `${name}.${exporter.extension}`));
  });

  test('writes the same for the same report', () => {
    expect(documentOf(exporter, [ada, bob], rosterCsv)).toBe(documentOf(exporter, [ada, bob], rosterCsv));
  });

  test('is well-formed, whatever texts a report holds', () => {
    fc.assert(
      fc.property(oddReport, (report) => {
        fc.pre(plainLine(path.basename(report.submission)) !== '');
        wellFormed[exporter.extension](documentOf(exporter, [report]));
      }),
      { numRuns: 300 },
    );
  });

  test('is well-formed, whatever texts a roster holds', () => {
    fc.assert(
      fc.property(fc.array(oddText, { minLength: 6, maxLength: 6 }), (values) => {
        const quoted = values.map((value) => `"${value.replaceAll('"', '""')}"`).join(',');
        const roster = `username,Student,ID,Section,first_name,Lab 4: Limits (1),email\nbob,${quoted}\n`;
        wellFormed[exporter.extension](documentOf(exporter, [bob], roster));
      }),
      { numRuns: 200 },
    );
  });
});

test('the reports that the tests draw are reports', () => {
  fc.assert(fc.property(oddReport, (report) => reportSchema.safeParse(report).success));
  expect(reportSchema.parse(ada)).toEqual(ada);
  expect(reportSchema.parse(bob)).toEqual(bob);
});

test('each format has a name of its own', () => {
  const names = exporters.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
});
