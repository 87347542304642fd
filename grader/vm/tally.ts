/** How many tests of a vitest run passed, read from the summary it ends with. */

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Count from the summary of vitest's default reporter, written without colours. A run that failed although no test did
 * (a file that cannot be loaded, a run cut short, nothing selected) counts as one failure.
 */
export function countTests(output: string, exitCode: number): Tally {
  const summary = [...output.matchAll(/^\s*Tests\s+(.*)$/gm)].at(-1)?.[1] ?? '';
  const count = (word: string): number => Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0);
  const failed = count('failed');
  return {
    passed: count('passed'),
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: count('skipped') + count('todo'),
  };
}

export function tallyLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
