import { expect, test } from 'vitest';
import { countTests, tallyLine } from './tally.ts';

const summary = (tests: string): string => `
 Test Files  1 failed | 2 passed (3)
      Tests  ${tests}
   Start at  20:09:41
`;

test('passed, failed, skipped and todo are counted from the last summary', () => {
  const output = summary('9 passed (9)') + summary('1 failed | 4 passed | 2 skipped | 1 todo (8)');
  expect(tallyLine(countTests(output, 1))).toBe('4 passed, 1 failed, 3 skipped');
});

test('a run that failed without a failing test counts as one failure', () => {
  expect(countTests(summary('4 passed (4)'), 1)).toEqual({ passed: 4, failed: 1, skipped: 0 });
  expect(countTests('No test files found, exiting with code 1\n', 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test('what a test prints about tests is not taken for the summary', () => {
  const output = `Tests  77 passed (77)\n${summary('3 passed (3)')}`;
  expect(countTests(output, 0).passed).toBe(3);
});
