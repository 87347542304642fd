/** `workshop watch`: check at every save, and answer to single keys. */

import fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { checkLab, hasPassed } from '../check/check-lab.ts';
import { reportText } from '../check/report-text.ts';
import { showDiff } from '../diff.ts';
import { hintText, nextHint } from '../hint.ts';
import { type CourseLab, existingLabs, labOrCurrent } from '../labs.ts';
import { goTo } from '../progress.ts';
import { isInteractive, paint, say } from '../terminal.ts';
import { watchForChanges } from './changes.ts';
import { untilQuit } from './keys.ts';
import { oneAfterAnother } from './one-after-another.ts';

/** How long a check that is on may take to put its things away when the learner leaves. Milliseconds. */
const PATIENCE = 2000;

/** Ends when the learner says so, or with the terminal. */
export async function watch(typed: string | undefined): Promise<void> {
  let lab = labOrCurrent(typed);
  let task: number | undefined;
  let stopWatching = () => {};
  let passed = false;
  let note = '';
  let view = () => paint.dim('  checking …');
  let left = false;

  const show = (text = view) => {
    view = text;
    if (!left) draw(view(), keysLine(passed), note);
  };
  const checks = oneAfterAnother(async (since) => {
    const checked = lab;
    const report = await checkLab(checked, { warm: true, task });
    passed = hasPassed(report);
    const took = Math.round(Date.now() - since);
    show(() => `${reportText(checked, report)}\n${paint.dim(`  verdict after ${took} ms`)}`);
  });
  const guarded = async (work: () => Promise<void> | void) => {
    try {
      await work();
    } catch (error) {
      show(() => `${paint.red((error as Error).message)}\n`);
    }
  };
  const begin = (chosen: CourseLab) => {
    lab = chosen;
    task = undefined;
    goTo(lab.id);
    stopWatching();
    stopWatching = watchForChanges(
      lab.file,
      () => void guarded(() => checks.request(savedAt(lab.file))),
      (why) => {
        note = `Looking at the file every 0.2 s instead of waiting for events: ${why}.`;
        if (!isInteractive()) say(note);
      },
    );
    return checks.request();
  };
  const only = (chosen: number | undefined) => {
    if (chosen !== undefined && chosen > lab.tasks.length) return;
    task = chosen;
    return checks.request();
  };
  const keys: Record<string, () => Promise<void> | void> = {
    a: () => only(undefined),
    r: () => checks.request(),
    h: async () => {
      // A hint is about what a check saw, and one may be on.
      await checks.idle();
      const hint = await nextHint(lab);
      show(() => hintText(lab, hint));
    },
    d: () => {
      process.stdin.setRawMode?.(false);
      showDiff(lab, { pager: true });
      process.stdin.setRawMode?.(true);
      show();
    },
    n: () => {
      const next = existingLabs().find((other) => other.number > lab.number);
      if (!passed || next === undefined) return;
      return begin(next);
    },
  };

  void guarded(() => begin(lab));
  await untilQuit(
    (key) => void guarded(() => (/^[1-9]$/.test(key) ? only(Number(key)) : keys[key]?.())),
    () => show(),
  );
  left = true;
  stopWatching();
  await Promise.race([checks.idle(), pause(PATIENCE)]);
}

/** When the file was saved, so that the wait that is shown is the one that was felt. */
function savedAt(file: string): number {
  return fs.statSync(file).mtimeMs;
}

function draw(text: string, keys: string, note: string): void {
  if (!isInteractive()) {
    say(`${text}\n`);
    return;
  }
  process.stdout.write('\x1b[2J\x1b[3J\x1b[H');
  say(text);
  if (note !== '') say(paint.yellow(note));
  say(`\n${keys}`);
}

function keysLine(passed: boolean): string {
  const key = (letter: string, word: string) => `${paint.bold(letter)} ${word}`;
  return [
    ...(passed ? [key('n', 'next lab')] : []),
    key('1-9', 'one task'),
    key('a', 'all'),
    key('h', 'hint'),
    key('d', 'diff'),
    key('r', 'rerun'),
    key('q', 'quit'),
  ].join('   ');
}
