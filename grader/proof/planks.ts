/** The compiler compares the modules of a plank with its contract here: the engine's, the starter, the solution. */

import type { PushPlank } from '../../engine/registry/contract/push.ts';

type Fits<Plank, Engine extends Plank, Starter extends Plank, Solution extends Plank> = [Engine, Starter, Solution];

export type Push = Fits<
  PushPlank,
  typeof import('../../engine/registry/push.ts'),
  typeof import('../../labs/12-push/push.ts'),
  typeof import('../../solutions/12-push/push.ts')
>;
