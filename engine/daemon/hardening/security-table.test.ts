import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

test('every attempt that docs/security.md lists has the test that it names', () => {
  const text = readFileSync(resolve('docs/security.md'), 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    const [, name, file] = /\[(.+)\]\(\.\.\/(\S+\.test\.ts)\) \|$/.exec(row) ?? [row];
    expect(name, row).toBeDefined();
    expect(readFileSync(resolve(file!), 'utf8'), row).toContain(`test('${name}'`);
  }
});
