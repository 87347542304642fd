/**
 * `result.json` of Classroom 50, `classroom50/result/v1`: whole points only, and no field at the top that the schema does not
 * know. A test that was not graded is a row worth 0 of 0 points.
 */

import { BadInput } from '../bad-input.ts';
import { type Environment, jsonDocument, type ReportExporter } from './exporter.ts';
import { type JudgedTest, judgedTests, shortened, totalsOf } from './judged-tests.ts';

/** Fields of the result and the variable that Classroom 50's runner sets for each. */
const FROM_RUNNER = {
  classroom: 'CLASSROOM',
  assignment: 'ASSIGNMENT',
  assignment_type: 'ASSIGNMENT_TYPE',
  owner: 'OWNER',
  submission: 'SUBMISSION_TAG',
  commit: 'COMMIT_URL',
  release: 'RELEASE_URL',
  review: 'REVIEW_URL',
} as const;

export const classroom50: ReportExporter = {
  name: 'classroom50',
  about: 'Classroom 50: result.json of one submission (reads CLASSROOM, ASSIGNMENT, … as its runner sets them)',
  extension: 'json',
  ofReport: (report, environment) => {
    const tests = judgedTests(report);
    const { points, countedPoints } = totalsOf(tests);
    const gradedAt = `${new Date(report.gradedAt).toISOString().slice(0, 19)}Z`;
    return jsonDocument({
      schema: 'classroom50/result/v1',
      ...identity(environment),
      // The runner puts the time of the graded commit here.
      datetime: gradedAt,
      graded_at: gradedAt,
      score: points,
      'max-score': countedPoints,
      tests: tests.map(testRow),
    });
  },
};

function identity(environment: Environment): Record<string, string> {
  const values = Object.entries(FROM_RUNNER).map(([field, variable]) => ({
    field,
    variable,
    value: environment[variable] || fallback(field, environment),
  }));
  const missing = values.filter(({ value }) => !value).map(({ variable }) => variable);
  if (missing.length > 0)
    throw new BadInput(
      `The format classroom50 needs ${missing.join(', ')} in the environment, as Classroom 50's runner sets them. ` +
        `For example: ${missing[0]}=… ./grade export report.json --format classroom50`,
    );
  const result = Object.fromEntries(values.map(({ field, value }) => [field, value!]));
  if (!/^(individual|group)$/.test(result.assignment_type!))
    throw new BadInput(`ASSIGNMENT_TYPE must be "individual" or "group", not "${result.assignment_type}".`);
  if (!result.submission!.startsWith('submit/'))
    throw new BadInput(`SUBMISSION_TAG must begin with "submit/", not be "${result.submission}".`);
  return result;
}

function fallback(field: string, environment: Environment): string | undefined {
  if (field === 'assignment_type') return 'individual';
  return field === 'review' ? environment.COMMIT_URL : undefined;
}

function testRow({ id, name, outcome, points, countedPoints, reason }: JudgedTest) {
  return {
    'test-name': shortened(name, 200),
    passed: outcome === 'passed',
    score: points,
    'max-score': countedPoints,
    id,
    outcome,
    // The whole file may have 10 MiB.
    message: shortened(reason, 2_000),
  };
}
