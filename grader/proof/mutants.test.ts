import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { home } from '../harness/home.ts';
import { readLabs } from '../lab.ts';
import { mutantsOf } from './mutants.ts';

const lab = { ...readLabs(home)[0]!, id: 'mutants-test' };
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-mutants-'));
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.rmSync(path.join(home, '.build/mutants', lab.id), { recursive: true, force: true });
});

async function mutantsIn(solution: string, starter = '', seed = 1) {
  const files = Object.entries({ solution, starter }).map(([name, text]) => {
    const file = path.join(folder, `${name}.ts`);
    fs.writeFileSync(file, text);
    return file;
  });
  return await mutantsOf(lab, files[0]!, files[1]!, seed);
}

test('a mutant is the solution with one place changed, and keeps what binds less together', async () => {
  const mutants = await mutantsIn('export function f(a: number, b: number) {\n  return a - b * 2;\n}\n');
  const texts = mutants.map(({ text }) => text.split('\n')[1]!.trim());
  expect(texts.sort()).toEqual(['', 'return (a + b * 2);', 'return a - (b / 2);']);
  expect(mutants.find(({ original }) => original === 'b * 2')).toMatchObject({ place: 'f', line: 2 });
});

test('what TypeScript refuses is left out, and an unused name is not refused', async () => {
  const mutants = await mutantsIn("export function f(): 'a' {\n  const b = 1;\n  return b > 0 ? 'a' : 'a';\n}\n");
  const replaced = mutants.map(({ replacement }) => replacement);
  expect(replaced).not.toContain('""');
  expect(replaced).not.toContain('{}');
  expect(replaced).toContain('true');
});

test('the wording of an error is left out, and a value that it names is not', async () => {
  const mutants = await mutantsIn(
    `export function f(a: string) {\n  if (a === 'x') throw new Error('No.', { cause: a });\n  throw new Error(\`${'$'}{a} is bad.\`);\n}\n`,
  );
  expect(mutants.map(({ mutator }) => mutator)).not.toContain('ObjectLiteral');
  const strings = mutants.filter(({ mutator }) => mutator === 'StringLiteral').map(({ original }) => original);
  expect(strings.sort()).toEqual(["'x'", `\`${'$'}{a} is bad.\``]);
});

test('the tasks are those of the exported functions that reach a place', async () => {
  const mutants = await mutantsIn(
    'const limit = 1 + 1;\nfunction inner() {\n  return limit * 2;\n}\nexport function f() {\n  return inner() - 1;\n}\n' +
      'export function g() {\n  return inner() / 1;\n}\n',
    '/** Tasks 1, 2 and 4. */\nexport function f(): void {}\n\n/** Task 3. */\n// a remark\nexport function g(): void {}\n',
  );
  const tasks = Object.fromEntries(mutants.map((mutant) => [mutant.place, mutant.tasks]));
  expect(tasks).toEqual({ f: [1, 2, 4], g: [3], inner: [1, 2, 3, 4], limit: [1, 2, 3, 4] });
});

test('the same seed gives the same order, and another one another', async () => {
  const solution = `export const a = [${Array.from({ length: 20 }, (_, index) => `'${index}'`).join(', ')}];\n`;
  const order = async (seed: number) => (await mutantsIn(solution, '', seed)).map(({ original }) => original);
  const first = await order(1);
  expect(await order(1)).toEqual(first);
  expect(await order(2)).not.toEqual(first);
});
