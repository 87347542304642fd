/**
 * `workshop diff`: the learner's functions against the engine's, one by one in the order of the starter. What is not
 * written yet is not shown: the answer stays behind `workshop solution`.
 */

import { spawnSync } from 'node:child_process';
import { createTwoFilesPatch } from 'diff';
import { exportedDeclarations } from './declarations.ts';
import { shortPath } from './home.ts';
import { type CourseLab, labOrCurrent } from './labs.ts';
import { Advice, isInteractive, paint, say } from './terminal.ts';

export function diff(typed: string | undefined): void {
  showDiff(labOrCurrent(typed), { pager: isInteractive() });
}

/** @param options.pager let `$PAGER` page when the text is longer than the screen. */
export function showDiff(lab: CourseLab, { pager }: { pager: boolean }): void {
  const text = diffText(lab);
  const tall = text.split('\n').length > (process.stdout.rows || 24);
  if (pager && tall) {
    const child = spawnSync('/bin/sh', ['-c', process.env.PAGER || 'less -R'], {
      input: `${text}\n`,
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    if (child.status === 0) return;
  }
  say(text);
}

function diffText(lab: CourseLab): string {
  let mine: Map<string, string>;
  try {
    mine = exportedDeclarations(lab.file);
  } catch (error) {
    throw new Advice(`${shortPath(lab.file)} cannot be read as TypeScript: ${(error as Error).message}`);
  }
  const engine = exportedDeclarations(lab.engine);
  const written = [...mine].filter(([, text]) => !text.includes('new NotImplemented('));
  const open = [...mine.keys()].filter((name) => !written.some(([other]) => other === name) && engine.has(name));
  const parts = written.flatMap(([name, text]) => {
    const its = engine.get(name);
    return its === undefined ? [] : [sideBySide(name, text, its)];
  });
  const head = paint.dim(`− ${shortPath(lab.file)}   + ${shortPath(lab.engine)}, function by function\n`);
  if (parts.length === 0) {
    parts.push(
      `Nothing of ${shortPath(lab.file)} is written yet, so there is nothing to compare. Begin with: ./workshop start ${lab.id}`,
    );
  } else if (open.length > 0) {
    parts.push(paint.dim(`Not written yet, and so not shown: ${open.join(', ')}.`));
  }
  return [head, ...parts].join('\n');
}

function sideBySide(name: string, mine: string, its: string): string {
  if (mine === its) return `${paint.bold(name)}  ${paint.dim('the same in both')}\n`;
  const lines = createTwoFilesPatch('mine', 'engine', mine, its, '', '', { context: 3 })
    .split('\n')
    .filter((line) => !/^(=+$|--- |\+\+\+ |\\ No newline)/.test(line));
  const coloured = lines.map((line) => {
    if (line.startsWith('-')) return paint.red(line);
    if (line.startsWith('+')) return paint.green(line);
    return line.startsWith('@@') ? paint.cyan(line) : line;
  });
  return [paint.bold(name), ...coloured].join('\n');
}
