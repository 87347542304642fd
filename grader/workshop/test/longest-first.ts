/**
 * The order of the files of tests: those that take minutes first, so that none of them is left for a single processor at
 * the end. Vitest knows by itself how long each took in the run before, which a fresh clone has not had.
 */

import path from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { home } from '../../harness/home.ts';

/** What takes more than a minute on a quiet machine, the longest first. */
export const LONGEST: readonly string[] = [
  'grader/proof/proof.test.ts',
  'grader/harness/hostile-host.test.ts',
  'grader/harness/hostile.test.ts',
  'engine/daemon/recovery-walk.test.ts',
  'grader/workshop/workshop.test.ts',
  'grader/batch/batch.test.ts',
  'grader/beside/interop.test.ts',
  'engine/cli/skiff-and-docker.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.indexOf(path.relative(home, moduleId));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}
