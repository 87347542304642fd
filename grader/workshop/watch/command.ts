/** `workshop watch`: check at every save, and answer to single keys. */

import fs from 'node:fs';
import { checkLab, hasPassed } from '../check/check-lab.ts';
import { reportText } from '../check/report-text.ts';
import { showDiff } from '../diff.ts';
import { hintText, nextHint } from '../hint.ts';
import { type CourseLab, existingLabs, labOrCurrent } from '../labs.ts';
import { updateProgress } from '../progress.ts';
import { isInteractive, paint, say } from '../terminal.ts';
import { watchForChanges } from './changes.ts';

/** Ends when the learner says so, or with the terminal. */
export async function watch(typed: string | undefined): Promise<void> {
  let lab = labOrCurrent(typed);
  let stopWatching = () => {};
  let running = false;
  /** Since when somebody waits for the next run, if one was asked for while another was on. */
  let next: number | undefined;
  let passed = false;
  let note = '';
  let view = () => '';

  const show = (text: () => string) => {
    view = text;
    draw(view(), keysLine(passed), note);
  };
  const run = async (since = Date.now()) => {
    next ??= since;
    if (running) return;
    running = true;
    while (next !== undefined) {
      const waiting = next;
      next = undefined;
      if (isInteractive()) process.stdout.write(paint.dim('  checking …\r'));
      const checked = lab;
      const report = await checkLab(checked, { warm: true });
      passed = hasPassed(report);
      const took = Math.round(Date.now() - waiting);
      show(() => `${reportText(checked, report)}\n${paint.dim(`  verdict after ${took} ms`)}`);
    }
    running = false;
  };
  const begin = (chosen: CourseLab) => {
    lab = chosen;
    stopWatching();
    stopWatching = watchForChanges(
      lab.file,
      () => void guarded(() => run(savedAt(lab.file))),
      (why) => {
        note = `Looking at the file every 0.2 s instead of waiting for events: ${why}.`;
        if (!isInteractive()) say(note);
      },
    );
    return run();
  };
  const guarded = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      running = false;
      show(() => `${paint.red((error as Error).message)}\n`);
    }
  };
  const keys: Record<string, () => Promise<void> | void> = {
    r: () => run(),
    h: async () => {
      const hint = await nextHint(lab);
      show(() => hintText(lab, hint));
    },
    d: () => {
      process.stdin.setRawMode?.(false);
      showDiff(lab, { pager: true });
      process.stdin.setRawMode?.(true);
      draw(view(), keysLine(passed), note);
    },
    n: () => {
      const next = existingLabs().find((other) => other.number > lab.number);
      if (!passed || next === undefined) return;
      updateProgress((progress) => {
        progress.current = next.id;
      });
      return begin(next);
    },
  };

  await guarded(() => begin(lab));
  await untilQuit(
    (key) => void guarded(async () => keys[key]?.()),
    () => draw(view(), keysLine(passed), note),
  );
  stopWatching();
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
    key('h', 'hint'),
    key('d', 'diff'),
    key('r', 'rerun'),
    key('q', 'quit'),
  ].join('   ');
}

/** Without a terminal there are no keys: then it ends by a signal. */
function untilQuit(onKey: (key: string) => void, onResize: () => void): Promise<void> {
  return new Promise((resolve) => {
    const { stdin, stdout } = process;
    const finish = () => {
      stdin.off('data', onData);
      stdout.off('resize', onResize);
      if (isInteractive()) stdin.setRawMode(false);
      stdin.pause();
      resolve();
    };
    const onData = (data: Buffer) => {
      for (const key of data.toString()) {
        if (key === 'q' || key === '\x03' || key === '\x04') return finish();
        onKey(key.toLowerCase());
      }
    };
    process.once('SIGTERM', finish);
    process.once('SIGINT', finish);
    if (!isInteractive()) return;
    stdin.setRawMode(true);
    stdin.resume();
    stdin.on('data', onData);
    stdout.on('resize', onResize);
  });
}
