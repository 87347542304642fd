/** `workshop reset`: the starter again, after the learner's file has been put away. */

import fs from 'node:fs';
import path from 'node:path';
import { shortPath, stateFolder } from './home.ts';
import { type CourseLab, findLab } from './labs.ts';
import { updateProgress } from './progress.ts';
import { isUntouched, starterOf } from './starter.ts';
import { Advice, say } from './terminal.ts';

export function reset(typed: string): void {
  const lab = findLab(typed);
  if (isUntouched(lab)) {
    say(`${shortPath(lab.file)} is the starter already; nothing was changed.`);
    return;
  }
  const starter = starterOf(lab);
  if (starter === undefined) {
    throw new Advice(
      `The starter of ${lab.id} is not in the history of this clone, so nothing was changed. ` +
        'Get it from where you cloned from: git fetch && git checkout origin/HEAD -- ' +
        shortPath(lab.file),
    );
  }
  const backup = backUp(lab);
  fs.writeFileSync(lab.file, starter);
  updateProgress((progress) => {
    const facts = progress.labs.get(lab.id);
    if (facts !== undefined)
      progress.labs.set(lab.id, { hints: new Map(), ...(facts.gaveUp ? { gaveUp: facts.gaveUp } : {}) });
  });
  if (backup !== undefined) say(`Your file is kept as ${shortPath(backup)}.`);
  say(`${shortPath(lab.file)} is the starter again. Begin with: ./workshop start ${lab.id}`);
}

/** Copy the learner's file to `.workshop/backup/DAY-TIME/`. @returns the copy; undefined when there is no file. */
export function backUp(lab: CourseLab): string | undefined {
  if (!fs.existsSync(lab.file)) return undefined;
  const time = new Date().toISOString().slice(0, 23).replace(/[:.]/g, '-');
  const folder = path.join(stateFolder, 'backup', time, path.basename(lab.folder));
  fs.mkdirSync(folder, { recursive: true });
  const copy = path.join(folder, path.basename(lab.file));
  fs.copyFileSync(lab.file, copy);
  return copy;
}
