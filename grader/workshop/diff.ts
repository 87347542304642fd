/** `workshop diff`: the learner's module against the engine's. */

import { spawnSync } from 'node:child_process';
import { home, shortPath } from './home.ts';
import { type CourseLab, labOrCurrent } from './labs.ts';
import { Advice, isInteractive, paint } from './terminal.ts';

export function diff(typed: string | undefined): void {
  showDiff(labOrCurrent(typed), { pager: isInteractive() });
}

/** @param options.pager let git page when the text is longer than the screen. */
export function showDiff(lab: CourseLab, { pager }: { pager: boolean }): void {
  const child = spawnSync(
    'git',
    [
      ...(pager ? [] : ['--no-pager']),
      'diff',
      '--no-index',
      '--minimal',
      `--color=${paint.level > 0 ? 'always' : 'never'}`,
      '--',
      shortPath(lab.file),
      shortPath(lab.engine),
    ],
    { cwd: home, stdio: 'inherit' },
  );
  if (child.error !== undefined) {
    throw new Advice(
      `git is needed to show a difference, and it is not here. Compare by eye: ${shortPath(lab.file)} and ${shortPath(lab.engine)}.`,
    );
  }
  // 1 says that they differ, which is no failure.
  if (child.status !== null && child.status > 1) {
    throw new Advice(
      `git could not compare ${shortPath(lab.file)} and ${shortPath(lab.engine)}; its own message is above.`,
    );
  }
}
