import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clone, makeClone } from '../testing/clone.ts';

const SAMPLE = 'grader/workshop/sample.test.ts';
const BROKEN = 'grader/workshop/broken.test.ts';

let clone: Clone;
let run: { status: number | null; stdout: string; stderr: string };

beforeAll(() => {
  clone = makeClone();
  clone.write(
    SAMPLE,
    [
      "import { expect, test } from 'vitest';",
      "test('two and two are four', () => expect(2 + 2).toBe(4));",
      "test('two and two are five', () => expect(2 + 2).toBe(5));",
      "test('the moon is new', (context) => context.skip('the moon is full'));",
      "test.skip('no reason is said', () => {});",
      '',
    ].join('\n'),
  );
  clone.write(BROKEN, "import './no-such-file.ts';\n");
  run = clone.run('workshop', 'test', 'sample.test', 'broken.test');
});
afterAll(() => clone?.remove());

describe('workshop test', () => {
  test('ends with one line that counts what passed, failed and was skipped, lint, types and dead code included', () => {
    const lines = run.stdout.trimEnd().split('\n');
    const tools = lines.filter((line) => /^ {2}[✔✘] (lint|typecheck|dead code) /.test(line));
    expect(tools).toHaveLength(3);
    const failedTools = tools.filter((line) => line.includes('✘')).length;
    expect(lines.at(-1)).toBe(`${1 + 3 - failedTools} passed, ${2 + failedTools} failed, 2 skipped`);
    expect(run.status).toBe(1);
  });

  test('says what failed, where, and what was expected', () => {
    expect(run.stdout).toContain(`✘ ${SAMPLE} > two and two are five`);
    expect(run.stdout).toContain('expected 4 to be 5');
    expect(run.stdout).toContain(`at ${SAMPLE}:3:`);
  });

  test('ends with the slowest files, and with the titles of all that failed', () => {
    const lines = run.stdout.trimEnd().split('\n');
    expect(lines.some((line) => line.includes(' s ') && line.endsWith(SAMPLE))).toBe(true);
    expect(lines.slice(-4, -2).join('\n')).toMatch(/✘ .*(two and two are five|broken)/);
  });

  test('says why each skipped test was skipped', () => {
    expect(run.stdout).toContain(`– ${SAMPLE} > the moon is new\n      the moon is full\n`);
    expect(run.stdout).toContain(`– ${SAMPLE} > no reason is said\n      no reason is given\n`);
  });

  test('a file that does not load is a failure, not nothing', () => {
    expect(run.stdout).toContain(`✘ ${BROKEN} (does not load`);
    expect(run.stdout).toContain('no-such-file.ts');
  });

  test('a filter that fits no file is a failure', () => {
    const none = clone.run('workshop', 'test', 'no-such-test');
    expect(none.status).toBe(1);
    expect(none.stdout).toContain('No test ran for no-such-test.');
  });
});
