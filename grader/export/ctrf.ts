/** Common Test Report Format 1.0: `error` and `unsupported` are its `other`, with the outcome beside it as `rawStatus`. */

import type { Outcome } from '../report.ts';
import { jsonDocument, type ReportExporter } from './exporter.ts';
import { judgedTests, totalsOf } from './judged-tests.ts';

const STATUS: Record<Outcome, 'passed' | 'failed' | 'skipped' | 'other'> = {
  passed: 'passed',
  failed: 'failed',
  skipped: 'skipped',
  error: 'other',
  unsupported: 'other',
};

export const ctrf: ReportExporter = {
  name: 'ctrf',
  about: 'CTRF: test results of one submission, for tools that read the Common Test Report Format',
  extension: 'json',
  ofReport: (report) => {
    const tests = judgedTests(report);
    const count = (status: string) => tests.filter(({ outcome }) => STATUS[outcome] === status).length;
    const stop = Date.parse(report.gradedAt);
    return jsonDocument({
      reportFormat: 'CTRF',
      specVersion: '1.0.0',
      timestamp: new Date(stop).toISOString(),
      generatedBy: 'skiff',
      results: {
        tool: { name: 'skiff', version: report.grader.version },
        summary: {
          tests: tests.length,
          passed: count('passed'),
          failed: count('failed'),
          skipped: count('skipped'),
          pending: 0,
          other: count('other'),
          start: stop - Math.round(report.durationMs),
          stop,
          extra: { skiff: totalsOf(tests) },
        },
        tests: tests.map(({ id, name, lab, task, outcome, points, maxPoints, durationMs, reason }) => ({
          name,
          status: STATUS[outcome],
          duration: durationMs,
          suite: [lab.title, task.title],
          ...(reason === '' ? {} : { message: reason }),
          rawStatus: outcome,
          filePath: lab.file,
          labels: { id, points, maxPoints },
        })),
      },
    });
  },
};
