/** Deadlines, attempts and grades set by hand, as rules. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { counted } from './attempts.ts';
import { type Grade, gradesOf, type Handed } from './grades.ts';
import { latenessOf } from './late.ts';
import type { Override } from './overrides.ts';
import { noPolicy, type Policy } from './policy.ts';

const DUE = Date.parse('2026-12-04T22:59:00Z');
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const late = { grace: 15 * 60, perDay: 10, cutOff: 7 * 86_400 };
const policy: Policy = { ...noPolicy, labs: { store: { due: DUE } }, late };
const labs = new Map([['store', 100]]);

function handed(points: number, after: number, more: Partial<Handed> & { ungraded?: number } = {}): Handed {
  const { ungraded = 0, ...rest } = more;
  const score = { lab: 'store', points, maxPoints: 100, ungradedPoints: ungraded };
  return { student: 'ada', received: new Date(DUE + after).toISOString(), isError: false, labs: [score], ...rest };
}

function gradeOf(all: Handed[], terms: Policy = policy, overrides: Override[] = []): Grade {
  const { grades, gaps } = gradesOf(all, labs, terms, overrides);
  expect([grades.length, gaps]).toEqual([1, []]);
  return grades[0]!;
}

describe('lateness', () => {
  test.each([
    ['long before', -DAY, 100],
    ['at the deadline', 0, 100],
    ['within the grace', 15 * MINUTE, 100],
    ['a second beyond the grace', 15 * MINUTE + 1000, 90],
    ['a day', DAY, 90],
    ['a day and a second', DAY + 1000, 80],
    ['seven days', 7 * DAY, 30],
    ['beyond the cut-off', 7 * DAY + 1000, 0],
  ])('%s', (_, after, points) => {
    expect(gradeOf([handed(100, after)]).points).toBe(points);
  });

  test('never gives points for more time, nor less than none', () => {
    const after = fc.integer({ min: -10 * DAY, max: 400 * DAY });
    fc.assert(
      fc.property(after, after, fc.integer({ min: 0, max: 100 }), (one, other, perDay) => {
        const terms = { ...late, perDay, cutOff: undefined };
        const kept = [Math.min(one, other), Math.max(one, other)].map((ms) => latenessOf(DUE + ms, DUE, terms).kept);
        expect(kept[0]).toBeGreaterThanOrEqual(kept[1]!);
        expect(kept[1]).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("a student's own deadline wins, for that lab only", () => {
    const extended = { ...policy, extensions: { ada: { store: DUE + 2 * DAY }, bob: {} } };
    expect(gradeOf([handed(100, DAY)], extended).points).toBe(100);
    expect(gradeOf([handed(100, DAY, { student: 'bob' })], extended).points).toBe(90);
    expect(gradeOf([handed(100, DAY, { student: 'constructor' })], extended).points).toBe(90);
  });

  test('is not guessed: a deadline needs the time of the submission', () => {
    const { gaps } = gradesOf([handed(100, 0, { received: undefined })], labs, policy, []);
    expect(gaps).toEqual([
      { student: 'ada', lab: 'store', why: 'has a deadline, but it is not known when the submission was received' },
    ]);
    expect(gradeOf([handed(80, 0, { received: undefined })], noPolicy).points).toBe(80);
  });
});

describe('attempts', () => {
  const best = { ...policy, attempts: { count: 'best' as const } };
  const three = [handed(60, -DAY), handed(95, DAY), handed(70, -MINUTE)];

  test('the last one counts, or the best after lateness', () => {
    expect(gradeOf(three)).toMatchObject({ points: 85.5, earned: 95, attempts: { handedIn: 3, counted: 3 } });
    expect(gradeOf([handed(60, -DAY), handed(70, DAY)], best)).toMatchObject({ points: 63, earned: 70 });
    expect(gradeOf([handed(70, -DAY), handed(72, DAY)], best)).toMatchObject({ points: 70, earned: 70 });
  });

  test('beyond the limit they do not count, in whatever order they are listed', () => {
    const { length } = counted(
      [0, 1, 2, 3, 26, 27].map((hour) => ({ received: hour * 60 * MINUTE })),
      { count: 'last', perDay: 2 },
    );
    expect(length).toBe(4);
    const first = { ...policy, attempts: { count: 'last' as const, most: 1 } };
    fc.assert(
      fc.property(fc.shuffledSubarray(three, { minLength: 3 }), (order) => {
        expect(gradeOf(order, first)).toMatchObject({ points: 60, attempts: { handedIn: 3, counted: 1 } });
      }),
    );
  });

  test('one that could still turn out better keeps the grade open, one that could not does not', () => {
    expect(gradeOf([handed(60, -DAY), handed(30, -MINUTE, { ungraded: 40 })], best).points).toBeNull();
    expect(gradeOf([handed(80, -DAY), handed(30, -MINUTE, { ungraded: 40 })], best).points).toBe(80);
    expect(gradeOf([handed(60, -DAY), handed(0, -MINUTE, { labs: null, isError: true })], best).points).toBeNull();
    expect(gradeOf([handed(60, -DAY), handed(0, -MINUTE, { labs: null })], best).points).toBe(60);
  });
});

describe('a grade set by hand', () => {
  const set = (points: number | null, why = 'oral exam'): Override => ({
    student: 'ada',
    lab: 'store',
    points,
    by: 'Dr. X',
    at: '2026-12-06T10:00:00.000Z',
    why,
  });

  test('wins over everything, also over a grade that is open or has no time', () => {
    expect(gradeOf([handed(10, 300 * DAY)], policy, [set(85)])).toMatchObject({
      points: 85,
      earned: 10,
      note: 'Set by Dr. X: oral exam',
    });
    expect(gradeOf([handed(10, 0, { ungraded: 90, received: undefined })], policy, [set(85)]).points).toBe(85);
    expect(gradeOf([], policy, [set(40)])).toMatchObject({ points: 40, earned: null });
  });

  test('the last one counts, and can be taken back', () => {
    expect(gradeOf([handed(10, 0)], policy, [set(85), set(90)]).points).toBe(90);
    expect(gradeOf([handed(10, 0)], policy, [set(85), set(null)]).points).toBe(10);
  });
});
