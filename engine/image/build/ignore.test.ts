import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyIgnore, openContext } from './context.ts';
import { newIgnoreFilter, RULES_MAX } from './ignore.ts';

let directory: string;
beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-ignore-'));
});
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

const FILES = ['a', 'b', 'ab', 'd/a', 'd/b', 'd/e/a', 'd/e/ab'];

test('property: many rules, which are asked in parts, leave out what all of them together do', async () => {
  const rule = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom('none', 'x/y', '!none', '# a', '') },
    { weight: 1, arbitrary: fc.constantFrom(...FILES, '*', '**', '**/a', 'd', 'd/*', '?b') },
    { weight: 1, arbitrary: fc.constantFrom('!a', '!d/a', '!**/b', '!d/e', '!*b') },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(rule, { minLength: 40, maxLength: 260 }), async (rules) => {
      const context = fs.mkdtempSync(path.join(directory, 'context-'));
      for (const file of FILES) {
        fs.mkdirSync(path.dirname(path.join(context, file)), { recursive: true });
        fs.writeFileSync(path.join(context, file), '');
      }
      const isIgnored = newIgnoreFilter(rules.join('\n'));
      fs.writeFileSync(path.join(context, 'Dockerfile.dockerignore'), rules.join('\n'));
      await applyIgnore(openContext(context), context, 'Dockerfile');
      const left = FILES.filter((file) => fs.existsSync(path.join(context, file)));
      expect(left).toEqual(FILES.filter((file) => !isIgnored(file)));
    }),
    { numRuns: 60 },
  );
});

test('more rules than are held against each file are refused by number', async () => {
  const context = fs.mkdtempSync(path.join(directory, 'context-'));
  fs.writeFileSync(path.join(context, '.dockerignore'), 'x\n'.repeat(RULES_MAX + 1));
  await expect(applyIgnore(openContext(context), context, 'Dockerfile')).rejects.toThrow(`at most ${RULES_MAX}`);
});
