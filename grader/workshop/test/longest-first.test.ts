import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { home } from '../../harness/home.ts';
import { LONGEST } from './longest-first.ts';

test('the files that take longest are files of this clone', () => {
  expect(LONGEST.filter((file) => !fs.existsSync(path.join(home, file)))).toEqual([]);
});
