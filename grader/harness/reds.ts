/**
 * Set up for every suite of a lab: the usual matchers, but a red says only what differs; what the module printed stands
 * with the test that failed; and a test that failed gives the next one a fresh subject.
 */

import { afterEach, expect, type RunnerTestSuite } from 'vitest';
import { differences, shown } from './differences.ts';
import { forgetSubjects, renewSubjects } from './live-subject.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** The last of what the module printed. */
    printed?: string;
  }
}

interface MatcherContext {
  isNot?: boolean;
  equals(actual: unknown, expected: unknown, testers?: unknown[]): boolean;
  utils: { iterableEquality: unknown; subsetEquality: unknown };
}

function verdict(context: MatcherContext, actual: unknown, expected: unknown, subset = false) {
  const testers = subset
    ? [context.utils.iterableEquality, context.utils.subsetEquality]
    : [context.utils.iterableEquality];
  const equals = (one: unknown, other: unknown) => context.equals(one, other, testers);
  return {
    pass: equals(actual, expected),
    message: () =>
      context.isNot ? `should not be ${shown(expected)}` : differences(actual, expected, { equals, subset }),
  };
}

expect.extend({
  toEqual(this: MatcherContext, actual: unknown, expected: unknown) {
    return verdict(this, actual, expected);
  },
  toMatchObject(this: MatcherContext, actual: unknown, expected: unknown) {
    return verdict(this, actual, expected, true);
  },
  toBe(this: MatcherContext, actual: unknown, expected: unknown) {
    const message = () => {
      if (this.isNot) return `should not be ${shown(expected)}`;
      const apart = differences(actual, expected, { equals: Object.is });
      return apart === '' ? `should be the same object as ${shown(expected)}` : apart;
    };
    return { pass: Object.is(actual, expected), message };
  },
  toContain(this: MatcherContext, actual: unknown, item: unknown) {
    const has =
      typeof actual === 'string'
        ? actual.includes(String(item))
        : Array.from((actual ?? []) as Iterable<unknown>).some((each) => Object.is(each, item));
    const claim = this.isNot ? 'should not contain' : 'should contain';
    return { pass: has, message: () => `${claim} ${shown(item)}, is ${shown(actual)}` };
  },
  toHaveLength(this: MatcherContext, actual: unknown, length: number) {
    const found = (actual as { length?: unknown } | null | undefined)?.length;
    const claim = this.isNot ? 'should not have' : 'should have';
    return { pass: found === length, message: () => `${claim} ${length} items, has ${shown(found)}: ${shown(actual)}` };
  },
  toMatch(this: MatcherContext, actual: unknown, pattern: RegExp | string) {
    const pass =
      typeof actual === 'string' && (typeof pattern === 'string' ? actual.includes(pattern) : pattern.test(actual));
    const claim = this.isNot ? 'should not match' : 'should match';
    return { pass, message: () => `${claim} ${shown(pattern)}, is ${shown(actual)}` };
  },
});

// The thread may have run another suite before.
forgetSubjects();

afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  // What has not been written has not disturbed anything; and after the last test nobody needs a fresh one.
  const disturbed = !task.result.errors?.every(isUnwritten) && hasMoreTests(task.file);
  const printed = await renewSubjects(disturbed);
  if (printed !== '') task.meta.printed = printed;
});

/** Whether a test is still to come. */
function hasMoreTests(suite: RunnerTestSuite): boolean {
  return suite.tasks.some((task) =>
    task.type === 'suite'
      ? hasMoreTests(task)
      : (task.mode === 'run' || task.mode === 'queued') && task.result === undefined,
  );
}

/** By its message too: the suites hand on what a child said, and a matcher what it got instead. */
function isUnwritten({ name, message = '' }: { name?: string; message?: string }): boolean {
  return name === 'NotImplemented' || message.includes('is not written yet');
}
