/** Starter, solution and engine have what the contract says, by their types; `tsc` checks it too. */

import { expect, test } from 'vitest';
import type { PullPlank } from '../../engine/registry/contract/pull.ts';
import * as pullOfTheEngine from '../../engine/registry/pull.ts';
import * as pullOfTheStarter from '../../labs/11-pull/pull.ts';
import * as pullOfTheSolution from '../../solutions/11-pull/pull.ts';

const planks: Record<string, Record<string, object>> = {
  pull: {
    engine: pullOfTheEngine,
    starter: pullOfTheStarter,
    solution: pullOfTheSolution,
  } satisfies Record<string, PullPlank>,
};

test.each(Object.entries(planks))('the planks of %s export the same functions', (_, { engine, ...others }) => {
  for (const other of Object.values(others)) expect(Object.keys(other).sort()).toEqual(Object.keys(engine!).sort());
});
