/** JSON as `check50 -o json` writes it. `passed` is null for a test without a verdict: skipped, or not graded. */

import type { Outcome } from '../report.ts';
import { jsonDocument, type ReportExporter } from './exporter.ts';
import { type JudgedTest, judgedTests } from './judged-tests.ts';

/** Of check50: the version whose description of the format this follows. */
const FORMAT_VERSION = '3.3.11';

const PASSED: Record<Outcome, boolean | null> = {
  passed: true,
  failed: false,
  skipped: null,
  error: null,
  unsupported: null,
};

export const check50: ReportExporter = {
  name: 'check50',
  about: 'check50: results of one submission, as check50 prints them with -o json',
  extension: 'json',
  ofReport: (report) =>
    jsonDocument({
      slug: `skiff/${report.labs.map(({ lab }) => lab).join('+')}`,
      version: FORMAT_VERSION,
      results: judgedTests(report).map(resultOf),
    }),
};

function resultOf({ id, name, outcome, points, maxPoints, reason }: JudgedTest) {
  return {
    // check50's names are those of Python functions.
    name: id.replace(/[^\p{L}\p{N}]/gu, '_'),
    description: name,
    passed: PASSED[outcome],
    log: [],
    cause: outcome === 'passed' ? null : { rationale: reason, help: null },
    data: { id, outcome, points, maxPoints },
    dependency: null,
  };
}
