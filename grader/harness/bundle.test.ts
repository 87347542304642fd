/** What is taken from a submission. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readLearnerFile } from './bundle.ts';
import { Refused } from './refused.ts';

const NOBODY = 65534;
const isRoot = process.geteuid?.() === 0;
const submission = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-bundle-'));
afterAll(() => {
  for (const name of fs.readdirSync(submission)) fs.chmodSync(path.join(submission, name), 0o700);
  fs.rmSync(submission, { recursive: true });
});

/** Root may read everything, so it looks as an ordinary user. */
function asOrdinaryUser(work: () => void): void {
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

describe('a learner’s file that the grader may not read', () => {
  test.each([
    ['itself', 'own.ts', 'own.ts'],
    ['in a folder', 'folder/module.ts', 'folder'],
  ])('is refused with a sentence, so that there is a report: %s', (_, file, closed) => {
    fs.chmodSync(submission, 0o755);
    fs.mkdirSync(path.dirname(path.join(submission, file)), { recursive: true });
    fs.writeFileSync(path.join(submission, file), 'export {};');
    fs.chmodSync(path.join(submission, closed), 0o000);
    asOrdinaryUser(() => {
      expect(() => readLearnerFile(submission, file)).toThrow(Refused);
      expect(() => readLearnerFile(submission, file)).toThrow(/may not be read by the grader.*chmod -R u\+rwX/);
    });
  });
});
