import { describe, expect, test } from 'vitest';
import { formatProgress, parseProgress, progressOf } from './progress.ts';

describe('the progress file', () => {
  test('what is written is read back the same', () => {
    const progress = parseProgress('');
    progress.current = 'rootfs';
    progressOf(progress, 'process').passed = '2026-01-02';
    progressOf(progress, 'process').points = { reached: 30, of: 30 };
    progressOf(progress, 'rootfs').hints.set(2, 3);
    progressOf(progress, 'namespaces').gaveUp = '2026-01-03';
    expect(parseProgress(formatProgress(progress))).toEqual(progress);
  });

  test('a hand-edited file is understood: spacing, order, Windows line ends', () => {
    const progress = parseProgress('\r\n  passed   process \r\nhint process 1 2\r\n\r\ncurrent process\r\n');
    expect(progress.current).toBe('process');
    expect(progress.labs.get('process')).toEqual({ passed: 'some day', hints: new Map([[1, 2]]) });
  });

  test.each([
    '# my own note',
    'passed',
    'points process many',
    'hint process 1 9',
    'finished process',
    'passed ../../etc x',
  ])('the line "%s" is kept as it stands and changes nothing else', (line) => {
    const progress = parseProgress(`current process\n${line}\n`);
    expect(progress.current).toBe('process');
    expect(progress.labs.size).toBe(0);
    expect(formatProgress(progress).trimEnd().split('\n').at(-1)).toBe(line);
    expect(formatProgress(parseProgress(formatProgress(progress)))).toBe(formatProgress(progress));
  });
});
