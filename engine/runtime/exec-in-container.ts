/** Another process in a running container, as its parent sees it. What joining means is exec.ts. */

import type { SeccompFilter } from '#contract/privileges';
import { forkInto, joinContainer, leadSession, namespacesOf } from '#exec';
import { becomeUser } from './become.ts';
import type { Cgroup } from './cgroups/driver.ts';
import type { Holds } from './holds.ts';
import { type ChildSide, launch, type Started, type Starter, type Streams, waitForParent } from './launch.ts';
import { raiseHardLimits } from './limits.ts';
import type { Namespace, Process } from './spec.ts';
import { startErrorOf } from './start-error.ts';
import { step } from './step.ts';
import { takeTerminal } from './terminal.ts';

/** The container to join. */
export interface Joined {
  /** Its first process, a child of the caller that has not been reaped, so the pid cannot mean another one. */
  pid: number;
  cgroup: Cgroup | null;
  /** What its first process is under. */
  seccomp: SeccompFilter | null;
}

/** Start `process` in a container. It runs its program when this resolves. @throws StartError */
export async function execInContainer(
  { pid, cgroup, seccomp }: Joined,
  process: Process,
  streams: Streams,
  starter: Starter,
  holds?: Holds,
): Promise<Started> {
  try {
    const namespaces = step('namespaces', () => namespacesOf(pid));
    return await launch({
      process,
      streams,
      cgroup,
      seccomp,
      starter,
      cloneFlags: 0n,
      prepare: (child) => prepare(namespaces, process, child, holds),
      beforeGo: (child) => {
        if (namespaces.some(({ type }) => type === 'user'))
          step('rlimits', () => raiseHardLimits(process.rlimits ?? [], child));
      },
      aroundFork: (fork) => step('namespaces', () => forkInto(namespaces, fork)),
    });
  } catch (error) {
    throw startErrorOf(error);
  }
}

/** In the child. */
function prepare(namespaces: Namespace[], process: Process, child: ChildSide, holds?: Holds): void {
  const { cgroup, terminal, program, parent, go, seccomp } = child;
  waitForParent({ parent, go });
  step('namespaces', () => joinContainer(namespaces, () => cgroup?.join()));
  if (terminal) takeTerminal('/', terminal);
  else leadSession(null);
  becomeUser({ process, program, parent, seccomp, holds });
}
