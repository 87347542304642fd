/** `results.json` of a Gradescope autograder. A test that was not graded has neither a score nor a status there. */

import { score } from '../render/words.ts';
import { jsonDocument, type ReportExporter } from './exporter.ts';
import { isGraded, type JudgedTest, judgedTests, totalsOf } from './judged-tests.ts';

export const gradescope: ReportExporter = {
  name: 'gradescope',
  about: 'Gradescope: results.json of one submission',
  extension: 'json',
  ofReport: (report) => {
    const tests = judgedTests(report);
    const { points, countedPoints, ungradedPoints } = totalsOf(tests);
    const total = score({ points, maxPoints: countedPoints + ungradedPoints, ungradedPoints });
    const open = ungradedPoints > 0 ? ' They are not lost: ask your instructor to have them graded elsewhere.' : '';
    return jsonDocument({
      // Given even though it is the sum of the tests: a result without any score is refused.
      score: points,
      execution_time: Math.round(report.durationMs / 1000),
      output: `${total}.${open}`,
      output_format: 'text',
      test_output_format: 'text',
      test_name_format: 'text',
      visibility: 'visible',
      stdout_visibility: 'hidden',
      extra_data: { schema: report.schema, seed: report.seed, ungradedPoints },
      tests: tests.map(testRow),
    });
  },
};

function testRow(test: JudgedTest) {
  const { id, name, lab, outcome, points, maxPoints, reason } = test;
  const verdict = { score: points, max_score: maxPoints, status: outcome === 'passed' ? 'passed' : 'failed' };
  return {
    number: id.slice(id.lastIndexOf('/') + 1),
    name: isGraded(outcome) ? name : `Not graded: ${name}`,
    ...(isGraded(outcome) ? verdict : {}),
    output: reason,
    tags: [lab.lab],
    extra_data: { id, outcome },
  };
}
