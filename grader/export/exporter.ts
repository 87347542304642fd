/** What an exporter is: a pure function from canonical reports to the text of one other format. */

import type { Report } from '../report.ts';
import type { CourseClass } from './course-class.ts';

interface Format {
  /** What `--format` takes. */
  name: string;
  /** Who reads it, for `grade export --list`. */
  about: string;
  extension: 'csv' | 'json' | 'md' | 'txt' | 'xml';
}

/** Values that the place of the export knows and the report does not: the environment, as Classroom 50's runner sets it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One document for one report. */
export interface ReportExporter extends Format {
  ofReport: (report: Report, environment: Environment) => string;
}

/** One document for a whole class. */
export interface ClassExporter extends Format {
  ofClass: (course: CourseClass) => string;
}

export type Exporter = ReportExporter | ClassExporter;

export function jsonDocument(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
