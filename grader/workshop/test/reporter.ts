/** A vitest reporter: a line a file while it runs, and a tally with the reason of everything that was skipped. */

import path from 'node:path';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';
import { home } from '../home.ts';
import { paint, say } from '../terminal.ts';
import type { Tally } from './tally.ts';

/** Fills `tally` as tests end. */
export function tallyReporter(tally: Tally): Reporter {
  return {
    onTestCaseResult(testCase) {
      count(tally, testCase);
    },
    onTestModuleEnd(testModule) {
      const tests = [...testModule.children.allTests()];
      // A file that does not even load has no tests that could fail.
      const errors = testModule.errors();
      if (errors.length > 0)
        tally.failures.push({ title: nameOf(testModule), detail: errors.map(describe).join('\n\n') });
      tally.files.push({ name: nameOf(testModule), seconds: testModule.diagnostic().duration / 1000 });
      sayModule(testModule, tests, errors.length > 0);
    },
    onTestRunEnd(_modules, unhandledErrors) {
      for (const error of unhandledErrors) {
        tally.failures.push({ title: 'an error outside of every test', detail: describe(error) });
      }
    },
  };
}

function count(tally: Tally, testCase: TestCase): void {
  const title = `${nameOf(testCase.module)} > ${testCase.fullName}`;
  const result = testCase.result();
  if (result.state === 'passed') tally.passed += 1;
  if (result.state === 'failed') tally.failures.push({ title, detail: result.errors.map(describe).join('\n\n') });
  if (result.state === 'skipped') tally.skipped.push({ title, reason: result.note ?? 'no reason is given' });
}

function sayModule(testModule: TestModule, tests: TestCase[], broken: boolean): void {
  const states = tests.map((test) => test.result().state);
  const failed = states.filter((state) => state === 'failed').length;
  const skipped = states.filter((state) => state === 'skipped').length;
  const mark = broken || failed > 0 ? paint.red('✘') : states.length === skipped ? paint.yellow('–') : paint.green('✔');
  const notes = [
    broken ? 'does not load' : `${states.length} tests`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    `${(testModule.diagnostic().duration / 1000).toFixed(1)} s`,
  ];
  say(`  ${mark} ${nameOf(testModule)} ${paint.dim(`(${notes.join(', ')})`)}`);
}

function nameOf(testModule: TestModule): string {
  return path.relative(home, testModule.moduleId);
}

function describe(error: SerializedError): string {
  const at = error.stacks?.[0];
  const where = at === undefined ? '' : `\nat ${path.relative(home, at.file)}:${at.line}:${at.column}`;
  const diff = typeof error.diff === 'string' ? `\n${error.diff}` : '';
  return `${error.name ?? 'Error'}: ${error.message}${diff}${where}`;
}
