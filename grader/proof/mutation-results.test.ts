import { describe, expect, test } from 'vitest';
import { type LabMutation, readMutation, score } from './mutation-results.ts';

const survivor = (verdict: string) => ({
  ...{ place: 'f', line: 1, mutator: 'StringLiteral', original: "'a'", replacement: '""' },
  verdict,
});

function lab(killed: number, verdicts: string[]): LabMutation {
  const judged = killed + verdicts.length;
  return { solution: '', seed: 1, mutants: 100, judged, killed, timeouts: 0, survivors: verdicts.map(survivor) };
}

describe('a score', () => {
  test('counts open survivors and leaves equivalent ones out', () => {
    expect(score(lab(9, ['open']))).toBe(90);
    expect(score(lab(9, ['equivalent: both are empty']))).toBe(100);
    expect(score(lab(9, ['open', 'equivalent: both are empty']))).toBe(90);
  });

  test('is rounded down, so that 100 % is all', () => {
    expect(score(lab(999, ['open']))).toBe(99);
    expect(score(lab(0, ['open']))).toBe(0);
  });
});

test('mutation.json tells of each mutant that was judged', () => {
  for (const [id, { judged, killed, survivors, mutants }] of Object.entries(readMutation())) {
    expect(killed + survivors.length, id).toBe(judged);
    expect(judged, id).toBeLessThanOrEqual(mutants);
  }
});
