/** The report as a page for people, the same that `grade check --markdown` writes. */

import { markdownReport } from '../render/markdown.ts';
import type { LabReport, TestReport } from '../report.ts';
import type { ReportExporter } from './exporter.ts';
import { plainLine, plainText } from './judged-tests.ts';

export const markdown: ReportExporter = {
  name: 'markdown',
  about: 'Markdown: the report of one submission as a page, for an issue, a wiki or a mail',
  extension: 'md',
  ofReport: (report) => markdownReport({ ...report, labs: report.labs.map(cleanLab) }),
};

function cleanLab(lab: LabReport): LabReport {
  return {
    ...lab,
    title: plainLine(lab.title),
    file: plainLine(lab.file),
    tasks: lab.tasks.map((task) => ({ ...task, title: plainLine(task.title), tests: task.tests.map(cleanTest) })),
  };
}

function cleanTest({ title, message, evidence, ...rest }: TestReport): TestReport {
  return {
    ...rest,
    title: plainLine(title),
    ...(message === undefined ? {} : { message: plainText(message) }),
    ...(evidence === undefined ? {} : { evidence: plainText(evidence) }),
  };
}
