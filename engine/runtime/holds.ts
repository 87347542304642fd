/** Where a child can be held up on its way to its program, for callers that decide when it goes on, or act in between. */

import type { SeccompFilter } from '#contract/privileges';
import type { Program } from '#contract/process';

/** What the child calls. Synchronous; what they throw ends the start. */
export interface Holds {
  /** Everything is mounted, and the old root is still there. Only of a container's first process. */
  beforePivot?: () => void;
  /** It is the user it will be, in its root. Left to do: resource limits, the filter, the exec. What it does to `program` counts. */
  beforeProgram?: (program: Program, seccomp: SeccompFilter | null) => void;
  /** Takes the place of the exec. */
  execute?: (program: Program) => never;
}
