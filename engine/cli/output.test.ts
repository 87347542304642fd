import { expect, test } from 'vitest';
import { printable } from './output.ts';

test('what a terminal would obey is not printed', () => {
  expect(printable('\x1b]0;title\x07name\x9b31m\r\x7f')).toBe('\ufffd]0;title\ufffdname\ufffd31m\ufffd\ufffd');
  expect(printable('배\tline\nnext …')).toBe('배\tline\nnext …');
});
