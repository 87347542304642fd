/** `workshop start`: be in a lab, and know why it is worth it. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { twoDigits } from './check/report-text.ts';
import { shortPath } from './home.ts';
import { hostLanes } from './host.ts';
import { labOrCurrent } from './labs.ts';
import { readProgress, updateProgress } from './progress.ts';
import { Advice, paint, say, wrap } from './terminal.ts';

export function start(typed: string | undefined, options: { edit?: boolean; json?: boolean }): void {
  const lab = labOrCurrent(typed);
  const { labs: known } = readProgress();
  updateProgress((progress) => {
    progress.current = lab.id;
  });
  const locked = hostLanes()[lab.lane];
  const missing = lab.prerequisites.filter((id) => known.get(id)?.passed === undefined);
  if (options.json) {
    say(
      JSON.stringify(
        {
          lab: lab.id,
          why: why(lab.chapter),
          chapter: shortPath(lab.chapter),
          file: shortPath(lab.file),
          missing,
          locked,
        },
        null,
        2,
      ),
    );
    return;
  }
  say(
    `${paint.bold(`Lab ${twoDigits(lab.number)}  ${lab.title}`)}  ${paint.dim(`about ${lab.minutes} minutes, ${lab.tasks.length} tasks, difficulty ${lab.difficulty} of 5`)}\n`,
  );
  say(wrap(why(lab.chapter)));
  say();
  say(`  Read   ${paint.cyan(shortPath(lab.chapter))}`);
  say(`  Write  ${paint.cyan(shortPath(lab.file))}`);
  say(`  Check  ${paint.cyan('./workshop watch')}   at every save, or ./workshop check once`);
  if (missing.length > 0)
    say(
      wrap(
        `\nThis lab builds on ${missing.join(', ')}, which you have not passed yet; ./workshop catch-up ${lab.id} puts solutions in their place.`,
      ),
    );
  if (locked !== null) say(wrap(`\nThis host cannot check all of it: ${locked}. See ./workshop doctor`));
  if (options.edit) openEditor(lab.file);
}

/** The chapter's first paragraph. */
function why(chapter: string): string {
  if (!fs.existsSync(chapter)) return '';
  const paragraphs = fs.readFileSync(chapter, 'utf8').split(/\n\s*\n/);
  const first = paragraphs.find((text) => /^\w|^[*_`“"]/.test(text.trim()) && !text.trim().startsWith('#'));
  // Emphasis is for those who read it as Markdown.
  return (first ?? '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/(?<!\w)([_*]+)(\S[^_*]*)\1(?!\w)/g, '$2')
    .trim();
}

function openEditor(file: string): void {
  const editor = process.env.VISUAL || process.env.EDITOR;
  if (!editor)
    throw new Advice(`No editor is set. Set EDITOR, for example EDITOR=nano, or open ${shortPath(file)} yourself.`);
  // As git does it: the variable is a piece of shell, so that `code --wait` works.
  const child = spawnSync('/bin/sh', ['-c', `${editor} "$1"`, editor, file], { stdio: 'inherit' });
  if (child.status !== 0)
    throw new Advice(`The editor "${editor}" ended with ${child.signal ?? `exit ${child.status}`}.`);
}
