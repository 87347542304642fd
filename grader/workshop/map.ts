/** The map of labs: what there is, what this host unlocks, where the learner is. */

import stringWidth from 'string-width';
import { type Lane, maxPoints } from '../lab.ts';
import { hasPassed } from './check/check-lab.ts';
import { lastCheck } from './check/last-check.ts';
import { twoDigits } from './check/report-text.ts';
import { type PlannedLab, parts, plannedLabs } from './curriculum.ts';
import { hostLanes } from './host.ts';
import { type CourseLab, currentLab, existingLabs } from './labs.ts';
import { type Progress, readProgress } from './progress.ts';
import { isSolution } from './starter.ts';
import { columns, paint } from './terminal.ts';

export type LabState = 'passed' | 'failing' | 'skipped' | 'begun' | 'open' | 'locked' | 'planned';

export interface MapEntry {
  lab: PlannedLab;
  state: LabState;
  current: boolean;
  /** Undefined for a lab that is still to come. */
  exists?: CourseLab;
  points: number;
  maxPoints: number;
  /** Points that this host could not judge. */
  ungraded: number;
  /** Why this host cannot run it. */
  locked: string | null;
}

export function readMap(): MapEntry[] {
  const labs = existingLabs();
  const progress = readProgress();
  const lanes = hostLanes();
  const current = labs.length === 0 ? undefined : currentLab(progress).id;
  const planned = plannedLabs.filter((lab) => !labs.some(({ id }) => id === lab.id));
  return [...labs, ...planned]
    .sort((a, b) => a.number - b.number)
    .map((lab) =>
      entryOf(
        lab,
        labs.find(({ id }) => id === lab.id),
        progress,
        lanes,
        current,
      ),
    );
}

function entryOf(
  lab: PlannedLab,
  exists: CourseLab | undefined,
  progress: Progress,
  lanes: Record<Lane, string | null>,
  current: string | undefined,
): MapEntry {
  const facts = progress.labs.get(lab.id);
  const locked = lanes[lab.lane];
  const state =
    exists === undefined
      ? 'planned'
      : stateOf(
          exists,
          facts?.passed !== undefined,
          facts?.points !== undefined || progress.current === lab.id,
          locked,
        );
  return {
    lab,
    state,
    current: lab.id === current,
    ...(exists === undefined ? {} : { exists }),
    points: facts?.points?.reached ?? 0,
    maxPoints: exists === undefined ? 0 : maxPoints(exists),
    ungraded: facts?.points?.ungraded ?? 0,
    locked,
  };
}

function stateOf(lab: CourseLab, passed: boolean, begun: boolean, locked: string | null): LabState {
  const last = lastCheck(lab);
  if (passed) return last !== undefined && !hasPassed(last.report) ? 'failing' : 'passed';
  if (isSolution(lab)) return 'skipped';
  if (locked !== null) return 'locked';
  return begun ? 'begun' : 'open';
}

export const MARKS: Record<LabState, string> = {
  passed: paint.green('✔'),
  failing: paint.red('✘'),
  skipped: paint.yellow('»'),
  begun: paint.yellow('◐'),
  open: '○',
  locked: paint.dim('⊘'),
  planned: paint.dim('·'),
};

/** As much of the map as so many rows of a screen hold. */
export function mapThatFits(map: MapEntry[], rows: number): string {
  const texts = [mapText(map), mapText(map, { short: true }), mapText(map, { short: true, dense: true })];
  return texts.find((text) => text.split('\n').length <= rows) ?? focusedMap(map, rows);
}

/** A line for each part, with the marks of its labs; the learner's part and those after it are spread out while they fit. */
function focusedMap(map: MapEntry[], rows: number): string {
  const written = map.filter(({ exists }) => exists !== undefined);
  const passed = written.filter(({ state }) => state === 'passed').length;
  const here = map.find(({ current }) => current)?.lab.part ?? 0;
  const order = [...parts.keys()].sort((one, other) => Number(one < here) - Number(other < here) || one - other);
  let left = rows - 1 - parts.length;
  const isSpread = new Set<number>();
  for (const part of order) {
    const lines = spreadPart(map, part).length;
    if (lines > left) break;
    left -= lines;
    isSpread.add(part);
  }
  return [
    `${paint.bold('Build your own container engine')}  ${paint.dim(`${passed} of ${written.length} labs passed · ./workshop list`)}`,
    ...[...parts.entries()].flatMap(([part, title]) => {
      const name = `${paint.bold(`Part ${part}`)}  ${title}`;
      if (isSpread.has(part)) return [name, ...spreadPart(map, part)];
      const entries = map.filter(({ lab }) => lab.part === part);
      const marks = entries.map(({ state, current }) => (current ? paint.cyan('▶') : MARKS[state])).join(' ');
      const isPlanned = entries.every(({ state }) => state === 'planned');
      const current = entries.find((entry) => entry.current)?.lab.id;
      const note = isPlanned ? paint.dim('  to come') : current === undefined ? '' : `  ${paint.bold(current)}`;
      return [`${paint.bold(`Part ${part}`)}  ${pad(title, 14)} ${marks}${note}`];
    }),
  ].join('\n');
}

/** The labs of a part: a line for each that is written, and one for all that are to come. */
function spreadPart(map: MapEntry[], part: number): string[] {
  const entries = map.filter(({ lab }) => lab.part === part);
  const planned = entries.filter(({ state }) => state === 'planned');
  const lines = entries.filter((entry) => !planned.includes(entry)).map(entryLine);
  if (planned.length === 0) return lines;
  return [...lines, paint.dim(`  ${MARKS.planned} to come: ${planned.map(({ lab }) => lab.id).join(', ')}`)];
}

/**
 * @param options.short one line for the labs of a part that are still to come, where the screen is small.
 * @param options.dense no blank lines between the parts.
 */
export function mapText(map: MapEntry[], { short = false, dense = false } = {}): string {
  const written = map.filter(({ exists }) => exists !== undefined);
  const passed = written.filter(({ state }) => state === 'passed').length;
  const points = map.reduce((sum, entry) => sum + entry.points, 0);
  const title = paint.bold('Build your own container engine');
  const score = `${passed} of ${written.length} labs passed, ${points} points`;
  const lines = dense
    ? [`${title}  ${paint.dim(score)}`]
    : [title, paint.dim(`${score}; ${map.length - written.length} more labs to come`)];
  for (const [part, title] of parts.entries()) {
    lines.push(...(dense ? [] : ['']), `${paint.bold(`Part ${part}`)}  ${title}`);
    const entries = map.filter(({ lab }) => lab.part === part);
    lines.push(...(short ? spreadPart(map, part) : entries.map(entryLine)));
  }
  return lines.join('\n');
}

function entryLine({ lab, state, current, exists, points, maxPoints: most, ungraded, locked }: MapEntry): string {
  const pointer = current ? paint.cyan('▶') : ' ';
  const names = `${twoDigits(lab.number)} ${pad(lab.id, 20)} ${pad(lab.title, titleWidth())}`;
  if (state === 'planned') return paint.dim(`  ${MARKS.planned} ${names} to come`);
  const score = state === 'open' || state === 'locked' ? `${exists?.minutes} min` : `${points}/${most}`;
  const open = ungraded > 0 && state !== 'locked' ? paint.yellow(` ${ungraded} not graded`) : '';
  const note =
    state === 'locked'
      ? paint.dim(` locked: ${locked}`)
      : state === 'failing'
        ? paint.red(' passed once, fails now')
        : state === 'skipped'
          ? paint.yellow(' skipped: the solution is in its place')
          : open;
  return `${pointer} ${MARKS[state]} ${current ? paint.bold(names) : names} ${pad(score, 7)} ${paint.dim(lab.lane)}${note}`;
}

/** What the other columns leave of the line. */
function titleWidth(): number {
  return Math.max(12, Math.min(36, columns() - 48));
}

function pad(text: string, width: number): string {
  const fits = stringWidth(text) <= width ? text : `${text.slice(0, width - 1)}…`;
  return fits + ' '.repeat(Math.max(0, width - stringWidth(fits)));
}
