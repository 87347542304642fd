/** `workshop list` and `workshop progress`. */

import { shortPath } from './home.ts';
import { hostLanes } from './host.ts';
import { type MapEntry, mapThatFits, readMap } from './map.ts';
import { nextStep } from './next-step.ts';
import { progressFile, readProgress } from './progress.ts';
import { paint, say } from './terminal.ts';

export function list(options: { json?: boolean }): void {
  const map = readMap();
  if (options.json) {
    say(JSON.stringify({ labs: map.map(entryJson), next: nextStep(map) }, null, 2));
    return;
  }
  sayMap(map, Number.POSITIVE_INFINITY);
}

/** What the two lines below the map take of a screen, and its prompt. */
const LINES_BELOW = 5;

/** @param rows of the screen that the map may fill. */
export function sayMap(map: MapEntry[], rows = (process.stdout.rows || 24) - LINES_BELOW): void {
  const { sentence, command } = nextStep(map);
  say(mapThatFits(map, rows));
  say(`\n${lanesLine()}`);
  say(`${sentence.replace(/[.!?]?$/, (end) => end || '.')}\n  ${paint.cyan(command)}`);
}

function lanesLine(): string {
  const lanes = Object.entries(hostLanes());
  const shown = lanes.map(([lane, why]) => (why === null ? paint.green(`✔ ${lane}`) : paint.red(`✘ ${lane}`)));
  const hint = lanes.some(([, why]) => why !== null) ? paint.dim('   why: ./workshop doctor') : '';
  return `This host unlocks  ${shown.join('  ')}${hint}`;
}

function entryJson({ lab, state, current, exists, points, maxPoints, ungraded, locked }: MapEntry) {
  const { number, id, title, part, lane } = lab;
  const file = exists === undefined ? null : shortPath(exists.file);
  return { number, id, title, part, lane, state, current, points, maxPoints, ungraded, locked, file };
}

export function progressReport(options: { json?: boolean }): void {
  const map = readMap().filter(({ exists }) => exists !== undefined);
  const { labs } = readProgress();
  if (options.json) {
    const facts = map.map((entry) => {
      const known = labs.get(entry.lab.id);
      return {
        ...entryJson(entry),
        passed: known?.passed ?? null,
        gaveUp: known?.gaveUp ?? null,
        hints: Object.fromEntries(known?.hints ?? []),
      };
    });
    say(JSON.stringify({ file: shortPath(progressFile), labs: facts }, null, 2));
    return;
  }
  for (const { lab, points, maxPoints, ungraded, state } of map) {
    const known = labs.get(lab.id);
    const notes = [
      ...(known?.passed === undefined ? [] : [known.passed]),
      ...(known?.hints.size ? [`${[...known.hints.values()].reduce((sum, level) => sum + level, 0)} hints`] : []),
      ...(known?.gaveUp === undefined ? [] : [`solution seen ${known.gaveUp}`]),
      ...(ungraded > 0 ? [`${ungraded} points not graded on this host`] : []),
    ];
    say(
      `${lab.id.padEnd(22)} ${`${points}/${maxPoints}`.padEnd(8)} ${state.padEnd(8)} ${paint.dim(notes.join(', '))}`.trimEnd(),
    );
  }
  say(paint.dim(`\nKept in ${shortPath(progressFile)}, plain text.`));
}
