/**
 * JUnit XML, as Jenkins and GitLab read it: a suite for each lab. It knows no points, so they are properties of the suite: Jenkins's
 * xUnit plug-in rejects a whole file that has properties in a test case (its junit-10.xsd).
 */

import type { LabReport } from '../report.ts';
import type { ReportExporter } from './exporter.ts';
import { type JudgedTest, judgedTests, plainLine, shortened, totalsOf } from './judged-tests.ts';
import { xmlElement, xmlText } from './xml.ts';

export const junit: ReportExporter = {
  name: 'junit',
  about: 'JUnit XML: test results of one submission, for CI systems',
  extension: 'xml',
  ofReport: (report) => {
    const suites = report.labs.map((lab) => suiteOf(lab, report.gradedAt));
    const all = { name: 'skiff', ...countsOf(judgedTests(report)), time: seconds(report.durationMs) };
    return `<?xml version="1.0" encoding="UTF-8"?>\n${xmlElement('testsuites', all, ['\n', ...suites])}\n`;
  },
};

function suiteOf(lab: LabReport, gradedAt: string): string {
  const tests = judgedTests({ labs: [lab] });
  const attributes = {
    name: plainLine(lab.title),
    ...countsOf(tests),
    skipped: tests.filter(({ outcome }) => outcome === 'skipped' || outcome === 'unsupported').length,
    // Readers expect a time without a zone.
    timestamp: new Date(gradedAt).toISOString().slice(0, 19),
    time: seconds(lab.durationMs),
  };
  const { points, countedPoints, ungradedPoints } = totalsOf(tests);
  const properties = Object.entries({ points, maxPoints: countedPoints + ungradedPoints, ungradedPoints }).map(
    ([key, value]) => xmlElement('property', { name: key, value }),
  );
  const content = ['\n    ', xmlElement('properties', {}, properties), '\n', ...tests.map(caseOf), '  '];
  return `  ${xmlElement('testsuite', attributes, content)}\n`;
}

function countsOf(tests: readonly JudgedTest[]) {
  const count = (wanted: string) => tests.filter(({ outcome }) => outcome === wanted).length;
  return { tests: tests.length, failures: count('failed'), errors: count('error') };
}

function caseOf(test: JudgedTest): string {
  const { id, name, lab, task, outcome, points, maxPoints, durationMs } = test;
  const attributes = { classname: `${lab.lab}.${plainLine(task.title)}`, name, time: seconds(durationMs) };
  const output = xmlElement('system-out', {}, [xmlText(`${id}: ${outcome}, ${points} of ${maxPoints} points`)]);
  return `    ${xmlElement('testcase', attributes, [...verdictOf(test), output])}\n`;
}

function verdictOf({ outcome, reason }: JudgedTest): string[] {
  const message = shortened(plainLine(reason), 200);
  switch (outcome) {
    case 'passed':
      return [];
    case 'failed':
      return [xmlElement('failure', { message, type: 'failed' }, [xmlText(reason)])];
    case 'error':
      return [xmlElement('error', { message, type: 'grader' }, [xmlText(reason)])];
    default:
      return [xmlElement('skipped', { message: `${outcome}: ${message}` })];
  }
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(3);
}
