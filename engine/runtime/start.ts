/** The story of a container as its parent sees it. The child's half is init.ts. */

import type { SeccompFilter } from '#contract/privileges';
import { cloneFlags, writeIdMappings } from '#namespaces';
import { makeRootDirectories } from '#overlay';
import type { Cgroup } from './cgroups/driver.ts';
import { hostCgroups } from './cgroups/host.ts';
import { checkCgroupsPath } from './cgroups/parents.ts';
import type { Holds } from './holds.ts';
import { initialize } from './init.ts';
import { launch, type Started, type Starter, type Streams } from './launch.ts';
import { raiseHardLimits } from './limits.ts';
import { closeMappedRoot, type MappedRoot, openMappedRoot } from './mapped-root.ts';
import { seccompFilterFor } from './seccomp/filter.ts';
import type { Spec } from './spec.ts';
import { hostIdsOfRoot } from './spec-ids.ts';
import { startErrorOf } from './start-error.ts';
import { step } from './step.ts';

/** For who starts a container in two parts. */
export interface HeldStart {
  holds: Holds;
  /** As in a launch. */
  held: Promise<void>;
  /** In the parent, before the child does anything. */
  onForked: (pid: number, startTime: string) => void;
}

/**
 * Start a container. It runs its program when this resolves.
 * @throws StartError; nothing is left then: no process, no cgroup, no descriptor.
 */
export async function startContainer(
  spec: Spec,
  streams: Streams,
  starter: Starter,
  heldStart?: HeldStart,
): Promise<Started> {
  let cgroup: Cgroup | null = null;
  let mapped: MappedRoot | null = null;
  try {
    checkSpec(spec);
    const seccomp = seccompFilter(spec);
    cgroup = makeCgroup(spec);
    mapped = await openMappedRoot(spec, starter);
    if (mapped === null) giveUpperToRoot(spec);
    return await launch({
      process: spec.process,
      streams,
      cgroup,
      seccomp,
      starter,
      cloneFlags: step('namespaces', () => cloneFlags(spec.linux.namespaces)),
      prepare: (child) => {
        initialize({ spec, mapped, ...child, holds: heldStart?.holds });
        heldStart?.holds.execute?.(child.program);
      },
      held: heldStart?.held,
      beforeGo: (pid, startTime) => {
        heldStart?.onForked(pid, startTime);
        const { uidMappings = [], gidMappings = [] } = spec.linux;
        if (uidMappings.length === 0) return;
        step('id mappings', () => writeIdMappings(pid, uidMappings, gidMappings));
        step('rlimits', () => raiseHardLimits(spec.process.rlimits ?? [], pid));
      },
    });
  } catch (error) {
    cgroup?.remove();
    throw startErrorOf(error);
  } finally {
    if (mapped !== null) closeMappedRoot(mapped);
  }
}

function checkSpec({ linux, root, process }: Spec): void {
  if (!linux.namespaces.some(({ type }) => type === 'mount'))
    throw new Error('A container needs a mount namespace of its own; add {"type":"mount"} to linux.namespaces.');
  for (const path of [root.path, process.cwd])
    if (!path.startsWith('/')) throw new Error(`The path ${path} has to be absolute.`);
  if (process.args.length === 0) throw new Error('The container has no command to run; set process.args.');
}

/** A container's own root has to own the directories that what it writes goes into. */
function giveUpperToRoot({ root: { overlay }, linux }: Spec): void {
  const owner = hostIdsOfRoot(linux);
  if (owner === null || overlay === undefined) return;
  step('own upperdir', () => makeRootDirectories(overlay, overlay.lower[0]!, owner));
}

function seccompFilter({ linux, process }: Spec): SeccompFilter | null {
  const profile = linux.seccomp ?? 'unconfined';
  return step('seccomp', () => seccompFilterFor({ profile, capabilities: process.capabilities?.bounding ?? [] }));
}

function makeCgroup({ linux }: Spec): Cgroup | null {
  const { cgroupsPath: path, resources = {}, devices = [] } = linux;
  if (path === undefined) return null;
  return step('cgroup', () => {
    checkCgroupsPath(path);
    return hostCgroups().create({ path, resources, devices });
  });
}
