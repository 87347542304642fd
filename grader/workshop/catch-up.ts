/**
 * `workshop catch-up`: begin at a later lab. The learner's work goes to a branch first; then the solutions before it are
 * put in, which the progress file remembers as given up: a plank that was not written is not a plank that was passed.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { home, shortPath } from './home.ts';
import { type CourseLab, existingLabs, findLab } from './labs.ts';
import { progressOf, readProgress, today, updateProgress } from './progress.ts';
import { backUp } from './reset.ts';
import { git, isUntouched } from './starter.ts';
import { Advice, say } from './terminal.ts';

/** @param options.all also replace planks that have passed. */
export function catchUp(typed: string, options: { all?: boolean }): void {
  const target = findLab(typed);
  const before = existingLabs().filter((lab) => lab.number < target.number);
  const { labs: known } = readProgress();
  const replaced = before.filter((lab) => options.all || known.get(lab.id)?.passed === undefined);
  const without = replaced.find((lab) => !fs.existsSync(lab.solution));
  if (without !== undefined) {
    throw new Advice(
      `There is no solution of ${without.id} in this clone, so catch-up cannot go past it. Nothing was changed.`,
    );
  }
  if (replaced.length === 0) {
    say(`Every lab before ${target.id} has passed with your own planks; nothing was changed.`);
  } else {
    sayKept(
      replaced.filter((lab) => !isUntouched(lab)),
      target,
    );
    for (const lab of replaced) {
      fs.copyFileSync(lab.solution, lab.file);
      say(`  ${shortPath(lab.file)} is now the solution, and ${lab.id} counts as skipped.`);
    }
  }
  updateProgress((progress) => {
    progress.current = target.id;
    for (const lab of replaced) progressOf(progress, lab.id).gaveUp ??= today();
  });
  say(`You are in lab ${target.id}. Next: ./workshop start ${target.id}`);
}

function sayKept(written: CourseLab[], target: CourseLab): void {
  if (written.length === 0) return;
  const branch = commitToBranch(target);
  if (branch !== undefined) {
    say(
      `Your work is kept on the branch ${branch}. To get a file back: git checkout ${branch} -- ${shortPath(written[0]!.file)}`,
    );
    return;
  }
  for (const lab of written) say(`No git here, so your file is kept as ${shortPath(backUp(lab) ?? lab.file)}.`);
}

/** Commit `labs/` as it is to a new branch, by way of an index of its own: HEAD, index and files stay as they are. */
function commitToBranch(target: CourseLab): string | undefined {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'workshop-'));
  try {
    const env = { ...process.env, GIT_INDEX_FILE: path.join(folder, 'index') };
    const run = (...args: string[]) => {
      const child = spawnSync('git', ['-C', home, ...identity(), ...args], { encoding: 'utf8', env });
      return child.status === 0 ? child.stdout.trim() : undefined;
    };
    if (run('read-tree', 'HEAD') === undefined || run('add', '--', 'labs') === undefined) return undefined;
    const tree = run('write-tree');
    if (tree === undefined) return undefined;
    const commit = run('commit-tree', '-p', 'HEAD', '-m', `My work before catching up to ${target.id}`, tree);
    const branch = `workshop/before-${target.id}-${new Date().toISOString().slice(0, 23).replace(/[:T.]/g, '-')}`;
    if (commit === undefined || run('branch', branch, commit) === undefined) return undefined;
    return branch;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** A name is needed for a commit; a learner who has not told git theirs gets a neutral one. */
function identity(): string[] {
  return git('config', 'user.email') === undefined
    ? ['-c', 'user.name=Learner', '-c', 'user.email=learner@localhost']
    : [];
}
