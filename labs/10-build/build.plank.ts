/**
 * What the engine takes for the plank when the judge builds: your functions where the judge asks for them, and the
 * engine's own for the rest, so that a test of one of them does not fail for another.
 */

import * as yours from '#build';
import type { BuildPlank } from '#contract/build';
import * as engine from '../../engine/image/build/build.ts';

export type Decision = keyof BuildPlank;

let asked: readonly Decision[] = [];

/** From now on. */
export function decideWith(decisions: Decision[]): void {
  asked = decisions;
}

/** Yours if the judge asks for it; the engine's if not, or if yours is not written yet. */
function decision<Name extends Decision>(name: Name): BuildPlank[Name] {
  const decide = (...args: never[]): unknown => {
    const [own, others] = [yours, engine] as unknown as Record<Decision, (...args: never[]) => unknown>[];
    if (!asked.includes(name) || typeof own![name] !== 'function') return others![name](...args);
    try {
      return own![name](...args);
    } catch (error) {
      if ((error as Error).name !== 'NotImplemented' || name === 'cacheKey') throw error;
      return others![name](...args);
    }
  };
  return decide as unknown as BuildPlank[Name];
}

export const expand = decision('expand');
export const variables = decision('variables');
export const stageOrder = decision('stageOrder');
export const configure = decision('configure');
export const cacheKey = decision('cacheKey');
export const findSources = decision('findSources');
export const ignoreFilter = decision('ignoreFilter');
