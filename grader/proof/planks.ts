/** The compiler compares the modules of a plank with its contract here: the engine's, the starter, the solution. */

import type { PushPlank } from '../../engine/registry/contract/push.ts';
import type { RegistryPlank } from '../../engine/registry/contract/registry.ts';

type Fits<Plank, Engine extends Plank, Starter extends Plank, Solution extends Plank> = [Engine, Starter, Solution];

export type Push = Fits<
  PushPlank,
  typeof import('../../engine/registry/push.ts'),
  typeof import('../../labs/12-push/push.ts'),
  typeof import('../../solutions/12-push/push.ts')
>;

export type Registry = Fits<
  RegistryPlank,
  typeof import('../../engine/registry/registry.ts'),
  typeof import('../../labs/13-registry/registry.ts'),
  typeof import('../../solutions/13-registry/registry.ts')
>;
