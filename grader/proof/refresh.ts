/**
 * `npx tsx grader/proof/refresh.ts`: write each patch below solutions/ anew against the solution as it is now, where it
 * still fits with lines that have moved. `npx tsx grader/proof/refresh.ts FILE.ts PATCH "FIRST LINE"` makes a new one of
 * a changed copy of the solution.
 */

import fs from 'node:fs';
import path from 'node:path';
import { applyPatch, createTwoFilesPatch } from 'diff';
import { home } from '../harness/home.ts';
import { readLabs } from '../lab.ts';

const CONTEXT_LINES = 3;

function patchOf(module: string, solution: string, changed: string, firstLine: string): string {
  const [from, to] = [`a/${module}.ts`, `b/${module}.ts`];
  const text = createTwoFilesPatch(from, to, solution, changed, '', '', { context: CONTEXT_LINES });
  return `${firstLine}\n\n${text.replace(/^=+\n/, '').replace(/^(---|\+\+\+) (\S+)\t$/gm, '$1 $2')}`;
}

function refresh(module: string, solution: string, file: string): void {
  const text = fs.readFileSync(file, 'utf8');
  const changed = applyPatch(solution, text.slice(text.indexOf('\n---') + 1), { fuzzFactor: 2 });
  if (changed === false) {
    process.exitCode = 1;
    console.error(`${path.relative(home, file)} does not fit any more: make its change again by hand.`);
    return;
  }
  const fresh = patchOf(module, solution, changed, text.split('\n', 1)[0]!);
  if (fresh !== text) fs.writeFileSync(file, fresh);
}

const [changedFile, target, firstLine] = process.argv.slice(2);
for (const lab of readLabs(home)) {
  const folder = path.join(home, 'solutions', path.basename(lab.folder));
  const solution = fs.readFileSync(path.join(folder, `${lab.module}.ts`), 'utf8');
  if (changedFile !== undefined && target !== undefined && firstLine !== undefined) {
    if (path.resolve(target).startsWith(`${folder}/`))
      fs.writeFileSync(target, patchOf(lab.module, solution, fs.readFileSync(changedFile, 'utf8'), firstLine));
    continue;
  }
  for (const kind of ['wrong', 'correct'].map((name) => path.join(folder, name)).filter((name) => fs.existsSync(name)))
    for (const name of fs.readdirSync(kind).filter((name) => name.endsWith('.patch')))
      refresh(lab.module, solution, path.join(kind, name));
}
