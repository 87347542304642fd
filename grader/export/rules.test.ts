/** The rules of the programs that read the exports: their schemas where they publish one, else what their importers do. */

import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'csv-parse/sync';
import { validate as validateCtrf } from 'ctrf';
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import { BadInput } from '../bad-input.ts';
import type { Report } from '../report.ts';
import { canvas } from './canvas.ts';
import { check50 } from './check50.ts';
import { classroom50 } from './classroom50.ts';
import { courseClass, onlyLab, openGrades, withUngradedAsZero } from './course-class.ts';
import { ctrf } from './ctrf.ts';
import { github } from './github.ts';
import { githubSummary } from './github-summary.ts';
import { gradescope } from './gradescope.ts';
import { judgedTests } from './judged-tests.ts';
import { junit } from './junit.ts';
import { lti } from './lti.ts';
import { moodle } from './moodle.ts';
import { readRoster } from './roster.ts';
import { ada, bob, environment, oddReport, rosterCsv } from './testing/reports.ts';

const roster = (text = rosterCsv) => readRoster(text, 'roster.csv');
const read = (report: Report, index: number) => ({ from: `${index}.json`, report });
const course = (list?: ReturnType<typeof roster>, reports = [ada, bob]) => courseClass(reports.map(read), list);
const holds = (check: (report: Report) => void) => fc.assert(fc.property(oddReport, check), { numRuns: 300 });

function countOf(report: Report) {
  const tests = judgedTests(report);
  const count = (outcome: string) => tests.filter((each) => each.outcome === outcome).length;
  return {
    tests: tests.length,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    error: count('error'),
    unsupported: count('unsupported'),
  };
}

describe('Classroom 50', () => {
  const natural = { type: 'integer', minimum: 0 };
  const word = { type: 'string', minLength: 1 };
  const time = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\dZ$' };
  const fields = {
    schema: { const: 'classroom50/result/v1' },
    classroom: word,
    assignment: word,
    assignment_type: { enum: ['individual', 'group'] },
    owner: word,
    submission: { type: 'string', pattern: '^submit/' },
    commit: word,
    release: word,
    review: word,
    datetime: time,
    score: natural,
    'max-score': natural,
    tests: {
      type: 'array',
      items: {
        type: 'object',
        required: ['test-name', 'passed', 'score', 'max-score'],
        properties: { 'test-name': word, passed: { type: 'boolean' }, score: natural, 'max-score': natural },
      },
    },
  };
  const accepts = new Ajv2020({ strict: false }).compile({
    type: 'object',
    additionalProperties: false,
    required: Object.keys(fields),
    properties: { ...fields, graded_at: time },
  });
  interface Result {
    score: number;
    'max-score': number;
    tests: { passed: boolean; score: number; 'max-score': number; outcome: string }[];
  }

  test('accepts each result: whole points, no score above its maximum, below 10 MiB', () => {
    holds((report) => {
      const text = classroom50.ofReport(report, environment);
      const result = JSON.parse(text) as Result;
      expect(accepts(result), JSON.stringify(accepts.errors)).toBe(true);
      for (const row of [result, ...result.tests]) expect(row.score).toBeLessThanOrEqual(row['max-score']);
      expect(Buffer.byteLength(text)).toBeLessThan(10 * 1024 * 1024);
    });
  });

  test('never turns points that were not graded into points that were lost', () => {
    holds((report) => {
      const { score, tests, ...result } = JSON.parse(classroom50.ofReport(report, environment)) as Result;
      expect(score).toBe(report.points);
      expect(result['max-score']).toBe(report.maxPoints - report.ungradedPoints);
      for (const each of tests) expect(each.passed).toBe(each.outcome === 'passed');
    });
  });

  test('is told which variables are absent', () => {
    const { OWNER, COMMIT_URL, REVIEW_URL, ...rest } = environment;
    expect(() => classroom50.ofReport(ada, rest)).toThrow(/needs OWNER, COMMIT_URL, REVIEW_URL in the environment/);
    expect(() => classroom50.ofReport(ada, { ...environment, SUBMISSION_TAG: 'v1' })).toThrow(/begin with "submit\/"/);
    expect(() => classroom50.ofReport(ada, { ...environment, ASSIGNMENT_TYPE: 'pair' })).toThrow(BadInput);
  });
});

describe('GitHub Actions', () => {
  const COMMAND = /^::(error|warning|notice) (?:file=[^:,\r\n]*,)?title=[^:,\r\n]*::[^\r\n\u2028\u2029]*$/;

  test('sees only the commands of the exporter, one a line, at most ten of a kind', () => {
    holds((report) => {
      const lines = github.ofReport(report, {}).split('\n').slice(0, -1);
      for (const line of lines) expect(line).toMatch(COMMAND);
      for (const kind of ['error', 'warning', 'notice'])
        expect(lines.filter((line) => line.startsWith(`::${kind} `)).length).toBeLessThanOrEqual(10);
    });
  });

  test('sees the same points in both notices of GitHub Classroom', () => {
    holds((report) => {
      const text = github.ofReport(report, {});
      const graded = report.maxPoints - report.ungradedPoints;
      if (graded === 0) expect(text).not.toContain('::notice');
      else {
        expect(text).toContain(`::notice title=Autograding complete::Points ${report.points}/${graded}\n`);
        expect(text).toContain(
          `::notice title=Autograding report::{"totalPoints":${report.points},"maxPoints":${graded}}\n`,
        );
      }
      expect(text.includes('::warning title=Not graded::')).toBe(report.ungradedPoints > 0);
    });
  });

  test('names how many errors are not shown', () => {
    const task = bob.labs[0]!.tasks[0]!;
    const failed = {
      ...task,
      tests: Array.from({ length: 25 }, () => ({ ...task.tests[1]!, title: 'it, too: fails' })),
    };
    const text = github.ofReport({ ...bob, labs: [{ ...bob.labs[0]!, tasks: [failed] }] }, {});
    expect(text.match(/^::error /gm)).toHaveLength(10);
    expect(text).toContain('title=it%2C too%3A fails::');
    expect(text).toContain('::error title=More::16 more tests failed.');
  });

  test('gets a summary below 1 MiB, whose reasons cannot end their block', () => {
    const task = bob.labs[0]!.tasks[0]!;
    const long = { ...task.tests[1]!, message: '</pre>\n\n# <img src=x> @everyone '.repeat(130) };
    const report = {
      ...bob,
      labs: [{ ...bob.labs[0]!, tasks: [{ ...task, tests: Array.from({ length: 400 }, () => long) }] }],
    };
    const page = githubSummary.ofReport(report, {});
    expect(Buffer.byteLength(page)).toBeLessThan(1024 * 1024);
    expect(page).toMatch(/\n\d+ more tests did not pass\. The report has them all\.\n$/);
    expect(page.match(/<\/pre>/g)).toHaveLength(page.match(/<pre>/g)!.length);
    expect(page).not.toMatch(/@everyone|<img/);
  });

  test('gets no links and no mentions in titles', () => {
    const title = 'see https://a.example, HTTP://b.example, www.c.example, WWW.d.example, e@f.example, ftp://g';
    const lab = bob.labs[0]!;
    const page = githubSummary.ofReport(
      { ...bob, labs: [{ ...lab, title, tasks: [{ ...lab.tasks[0]!, title }] }] },
      {},
    );
    const shown = page.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
    expect(shown).toContain('c.example');
    expect(shown).not.toMatch(/:\/\/|www\.|@\w/i);
  });
});

describe('Gradescope', () => {
  test('gets a score or none for each test, and a total that is the sum', () => {
    holds((report) => {
      const result = JSON.parse(gradescope.ofReport(report, {})) as {
        score: number;
        output: string;
        tests: { score?: number; max_score?: number; status?: string; extra_data: { outcome: string } }[];
      };
      expect(result.tests.reduce((total, { score = 0 }) => total + score, 0)).toBe(result.score);
      expect(result.score).toBe(report.points);
      for (const { score, max_score, status, extra_data } of result.tests) {
        if (['error', 'unsupported'].includes(extra_data.outcome))
          expect([score, max_score, status]).toEqual([undefined, undefined, undefined]);
        else expect(status).toBe(extra_data.outcome === 'passed' ? 'passed' : 'failed');
      }
      expect(result.output.includes('not graded')).toBe(report.ungradedPoints > 0);
    });
  });
});

describe('CTRF', () => {
  test('accepts each document by its published schema, with counts that add up', () => {
    holds((report) => {
      const document = JSON.parse(ctrf.ofReport(report, {})) as { results: { summary: Record<string, number> } };
      const { valid, errors } = validateCtrf(document);
      expect(valid, JSON.stringify(errors)).toBe(true);
      const { passed, failed, skipped, error, unsupported, tests } = countOf(report);
      expect(document.results.summary).toMatchObject({
        tests,
        passed,
        failed,
        skipped,
        pending: 0,
        other: error + unsupported,
      });
    });
  });

  test('has a schema that refuses what is wrong', () => {
    const document = JSON.parse(ctrf.ofReport(ada, {})) as object;
    expect(validateCtrf({ ...document, results: {} }).valid).toBe(false);
  });
});

describe('JUnit', () => {
  interface Element {
    name: string;
    attributes: Record<string, string>;
  }

  function elementsOf(xml: string): Element[] {
    const elements: Element[] = [];
    const parser = new SaxesParser({ xmlns: false });
    parser.on('opentag', ({ name, attributes }) =>
      elements.push({ name, attributes: attributes as Record<string, string> }),
    );
    parser.on('error', (error) => {
      throw error;
    });
    parser.write(xml).close();
    return elements;
  }

  /** What Jenkins's junit-10.xsd allows, of what is written here: children and attributes. */
  const allowed: Record<string, { in: string[]; attributes: string[] }> = {
    testsuites: { in: [''], attributes: ['name', 'tests', 'failures', 'errors', 'time'] },
    testsuite: {
      in: ['testsuites'],
      attributes: ['name', 'tests', 'failures', 'errors', 'skipped', 'timestamp', 'time'],
    },
    properties: { in: ['testsuite'], attributes: [] },
    property: { in: ['properties'], attributes: ['name', 'value'] },
    testcase: { in: ['testsuite'], attributes: ['classname', 'name', 'time'] },
    failure: { in: ['testcase'], attributes: ['message', 'type'] },
    error: { in: ['testcase'], attributes: ['message', 'type'] },
    skipped: { in: ['testcase'], attributes: ['message'] },
    'system-out': { in: ['testcase'], attributes: [] },
  };

  test('has only elements and attributes that the schema of Jenkins knows, in their places', () => {
    holds((report) => {
      const open: string[] = [''];
      const parser = new SaxesParser({ xmlns: false });
      parser.on('opentag', ({ name, attributes }) => {
        expect(allowed[name]?.in).toContain(open.at(-1));
        expect(Object.keys(attributes)).toEqual(allowed[name]!.attributes);
        open.push(name);
      });
      parser.on('closetag', () => void open.pop());
      parser.write(junit.ofReport(report, {})).close();
      expect(open).toEqual(['']);
    });
  });

  test('counts failures, errors and skipped tests as they stand in the suites', () => {
    holds((report) => {
      const elements = elementsOf(junit.ofReport(report, {}));
      const count = (name: string) => elements.filter((element) => element.name === name).length;
      const { tests, failed, skipped, error, unsupported } = countOf(report);
      expect([count('testcase'), count('failure'), count('error'), count('skipped')]).toEqual([
        tests,
        failed,
        error,
        skipped + unsupported,
      ]);
      expect(elements[0]).toMatchObject({
        name: 'testsuites',
        attributes: { tests: `${tests}`, failures: `${failed}`, errors: `${error}` },
      });
      const suites = elements.filter(({ name }) => name === 'testsuite');
      const sum = (key: string) => suites.reduce((total, { attributes }) => total + Number(attributes[key]), 0);
      expect([sum('tests'), sum('failures'), sum('errors'), sum('skipped')]).toEqual([
        tests,
        failed,
        error,
        skipped + unsupported,
      ]);
    });
  });

  test('keeps the evidence behind a long message', () => {
    const lab = bob.labs[0]!;
    const task = lab.tasks[0]!;
    const failed = {
      ...task.tests[0]!,
      outcome: 'failed' as const,
      message: 'm'.repeat(3990),
      evidence: 'e'.repeat(3990),
    };
    const text = junit.ofReport({ ...bob, labs: [{ ...lab, tasks: [{ ...task, tests: [failed] }] }] }, {});
    expect(text).toContain(`${'m'.repeat(3990)}\n\n${'e'.repeat(3990)}</failure>`);
  });

  test('keeps line breaks and quotes of a message', () => {
    const text = junit.ofReport(ada, {});
    expect(elementsOf(text).find(({ attributes }) => attributes.name?.includes('stdin'))?.attributes.name).toBe(
      'it keeps <stdin> & "stdout"',
    );
    expect(text).toContain('>expected 1\n```\nto be 2\n');
  });
});

describe('check50', () => {
  test('gets a verdict only for tests that have one, and names that are identifiers', () => {
    holds((report) => {
      const { results } = JSON.parse(check50.ofReport(report, {})) as {
        results: {
          name: string;
          passed: boolean | null;
          cause: { rationale: string } | null;
          data: { outcome: string };
        }[];
      };
      for (const { name, passed, cause, data } of results) {
        expect(name).toMatch(/^[\p{L}\p{N}_]+$/u);
        expect(passed).toBe(data.outcome === 'passed' ? true : data.outcome === 'failed' ? false : null);
        expect(cause === null).toBe(passed === true);
        if (cause !== null) expect(cause.rationale).not.toBe('');
      }
      expect(new Set(results.map(({ name }) => name)).size).toBe(results.length);
    });
  });
});

describe('Canvas', () => {
  const table = (text: string): string[][] => parse(text);
  const withBob =
    'Student,ID,SIS User ID,SIS Login ID,Section,Lab 1: A process (4711),Lab 4: Limits (12)\nPoints Possible,,,,,100,100\n';

  test('finds its columns: Section is the last one about the student, then assignments with their ids', () => {
    const [header, points] = table(canvas.ofClass(course(roster())));
    expect(header).toEqual([
      'Student',
      'ID',
      'SIS User ID',
      'SIS Login ID',
      'Section',
      'Lab 1: A process (4711)',
      'Lab 4: Limits',
    ]);
    expect(points).toEqual(['Points Possible', '', '', '', '', '100', '100']);
  });

  test('keeps a grade that the gradebook has where there is none to enter', () => {
    const list = `${withBob}Ada,11,,ada,01,55,66\nBob,12,,bob,01,7,8\n`;
    const two: Report = { ...ada, labs: [ada.labs[0]!, bob.labs[1]!] };
    const rows = table(canvas.ofClass(course(roster(list), [two, bob])));
    expect(rows.slice(2)).toEqual([
      ['Ada', '11', '', 'ada', '01', '55', '100'],
      ['Bob', '12', '', 'bob', '01', '80', '100'],
    ]);
  });

  test('gets no row for a student without a final grade, and no cell that would delete one', () => {
    expect(canvas.ofClass(course(roster()))).not.toContain('Lovelace');
    const two: Report = { ...ada, labs: [ada.labs[0]!, bob.labs[1]!] };
    expect(() => canvas.ofClass(course(undefined, [two, bob]))).toThrow(
      /no grade for lab process of ada, and an empty cell would delete/,
    );
    expect(table(canvas.ofClass(onlyLab(course(undefined, [two, bob]), 'process'))).slice(2)).toEqual([
      ['bob', '', '', 'bob', '', '80'],
    ]);
  });

  test('takes a student named like the row of points for a student', () => {
    const list = `${withBob}Ms Points Possible,12,,bob,01,,\n`;
    const firsts = table(canvas.ofClass(course(roster(list), [bob]))).map(([first]) => first);
    expect(firsts).toEqual(['Student', 'Points Possible', 'Student']);
  });
});

describe('Moodle', () => {
  test('gets a grade beside each feedback, by mail address if all have one', () => {
    const [header, ...rows]: string[][] = parse(moodle.ofClass(course(roster())));
    expect(header!.filter((column) => column.endsWith(' (feedback)'))).toHaveLength(2);
    expect(rows).toHaveLength(1);
    expect(rows[0]!.slice(0, 2)).toEqual(['bob@example.edu', '80']);
    const [names, first]: string[][] = parse(moodle.ofClass(course(undefined, [bob])));
    expect([names![0], first![0]]).toEqual(['Username', 'bob']);
  });

  test('keeps what its gradebook has, "-" included, and refuses cells that would delete a grade', () => {
    const two: Report = { ...ada, labs: [ada.labs[0]!, bob.labs[1]!] };
    const list = 'Email address,Username,Lab 1: A process (Real),Lab 4: Limits (Real)\na@b.c,ada,-,3\n';
    const [, first]: string[][] = parse(moodle.ofClass(course(roster(list), [two])));
    expect(first!.slice(0, 4)).toEqual(['a@b.c', '', '', '100']);
    expect(() => moodle.ofClass(course(undefined, [two]))).toThrow(BadInput);
  });
});

describe('LTI', () => {
  test('gets no score for a student with points that were not graded, and says who has to act', () => {
    const { lineItems } = JSON.parse(lti.ofClass(course())) as {
      lineItems: {
        scores: { userId: string; scoreGiven?: number; scoreMaximum?: number; gradingProgress: string }[];
      }[];
    };
    const [first, second] = lineItems[0]!.scores;
    expect(first).toMatchObject({ userId: 'ada', gradingProgress: 'Failed' });
    expect(first).not.toHaveProperty('scoreGiven');
    expect(second).toMatchObject({ userId: 'bob', scoreGiven: 80, scoreMaximum: 100, gradingProgress: 'FullyGraded' });
    expect(lineItems[1]!.scores).toHaveLength(1);
  });

  test('gets scores between 0 and their maximum, at a time', () => {
    holds((report) => {
      const { lineItems } = JSON.parse(lti.ofClass(course(undefined, [{ ...report, submission: 'x' }]))) as {
        lineItems: { scores: { scoreGiven?: number; scoreMaximum?: number; timestamp: string }[] }[];
      };
      for (const { scoreGiven, scoreMaximum, timestamp } of lineItems.flatMap(({ scores }) => scores)) {
        expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        expect(scoreGiven === undefined).toBe(scoreMaximum === undefined);
        if (scoreGiven !== undefined) expect(scoreGiven).toBeLessThanOrEqual(scoreMaximum!);
      }
    });
  });
});

describe('a class', () => {
  test('takes several reports of a student if each lab is graded once', () => {
    const parts = bob.labs.map((lab) => ({ ...bob, labs: [lab] }));
    expect(course(undefined, parts).students.map(({ key, labs }) => [key, [...labs.keys()]])).toEqual([
      ['bob', ['process', 'cgroups']],
    ]);
    expect(() => course(undefined, [bob, bob])).toThrow('0.json and 1.json both grade lab process of "bob"');
  });

  test('lists grades that are open, unless the instructor counts them as lost', () => {
    expect(openGrades(course())).toEqual([{ student: 'ada', lab: 'process', ungradedPoints: 40 }]);
    const asZero = (list?: ReturnType<typeof roster>) => courseClass(withUngradedAsZero([ada, bob].map(read)), list);
    expect(openGrades(asZero())).toEqual([]);
    expect(canvas.ofClass(asZero(roster()))).toContain('"Lovelace, Ada",11,S100,ada,01,20,');
  });

  test.each([
    ['a report of "."', () => course(undefined, [{ ...ada, submission: '.' }]), /does not name a student/],
    [
      'labs worth different points',
      () => course(undefined, [ada, { ...bob, labs: [{ ...bob.labs[0]!, maxPoints: 90 }] }]),
      /two versions/,
    ],
    ['a student without a row', () => course(roster('username\nbob\n')), /no row with "ada" as its username/],
    ['a student with two rows', () => course(roster('username\nada\nbob\nADA\n')), /2 rows with "ada"/],
    [
      'an unknown column',
      () => readRoster('a,b\n', 'r.csv', 'c'),
      /r\.csv has no column "c"\. Its columns are "a", "b"/,
    ],
    ['two columns of one name', () => readRoster('a,a\n', 'r.csv'), /two columns "a"/],
    ['an empty roster', () => readRoster('\ufeff\n', 'r.csv'), /r\.csv is empty/],
    ['a roster with an open quote', () => readRoster('username\n"ada\n', 'r.csv'), /cannot be read as CSV/],
    ['a lab without a report', () => onlyLab(course(), 'build'), /They grade process, cgroups/],
  ])('is refused with %s', (_, make, message) => {
    expect(make).toThrow(BadInput);
    expect(make).toThrow(message);
  });

  test('is read from a roster with a byte order mark and semicolons', () => {
    const list = readRoster('\ufeffusername;email\r\nada;a@b.c\r\n', 'r.csv');
    expect(list.rowOf('Ada')).toEqual({ username: 'ada', email: 'a@b.c' });
  });
});
