/** All exporters. A new one is a file here, a line in this list, and a golden file in `testdata/`. */

import { canvas } from './canvas.ts';
import { check50 } from './check50.ts';
import { classroom50 } from './classroom50.ts';
import { ctrf } from './ctrf.ts';
import type { Exporter } from './exporter.ts';
import { github } from './github.ts';
import { githubSummary } from './github-summary.ts';
import { gradescope } from './gradescope.ts';
import { junit } from './junit.ts';
import { lti } from './lti.ts';
import { markdown } from './markdown.ts';
import { moodle } from './moodle.ts';

export const exporters: readonly Exporter[] = [
  classroom50,
  github,
  githubSummary,
  gradescope,
  ctrf,
  junit,
  check50,
  canvas,
  moodle,
  lti,
  markdown,
];
