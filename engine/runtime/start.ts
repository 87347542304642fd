/** The story of a container as its parent sees it. The child's half is init.ts. */

import type { SeccompFilter } from '#contract/privileges';
import { forkInto } from '#exec';
import { cloneFlags, writeIdMappings } from '#namespaces';
import { makeRootDirectories } from '#overlay';
import type { Cgroup } from './cgroups/driver.ts';
import { isFrozen } from './cgroups/freezer.ts';
import { hostCgroups } from './cgroups/host.ts';
import { checkCgroupsPath } from './cgroups/parents.ts';
import type { Holds } from './holds.ts';
import { initialize } from './init.ts';
import { launch, type Started, type Starter, type Streams } from './launch.ts';
import { raiseHardLimits } from './limits.ts';
import { closeMappedRoot, type MappedRoot, openMappedRoot } from './mapped-root.ts';
import { seccompFilterFor } from './seccomp/filter.ts';
import { hasOwnMounts, type Namespace, type Spec } from './spec.ts';
import { hostIdsOfRoot } from './spec-ids.ts';
import { startErrorOf } from './start-error.ts';
import { step } from './step.ts';

/** For a caller that starts a container in two parts. */
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
      aroundFork: (fork) => bornWhereAsked(spec.linux.namespaces, fork),
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

function checkSpec(spec: Spec): void {
  const { linux, root, process } = spec;
  if (!hasOwnMounts(linux.namespaces)) refuseMounts(spec);
  for (const path of [root.path, process.cwd])
    if (!path.startsWith('/')) throw new Error(`The path ${path} has to be absolute.`);
  if (process.args.length === 0) throw new Error('The container has no command to run; set process.args.');
}

/** Without a mount namespace the container is in the host's, where its mounts would be everybody's and stay. */
function refuseMounts({ root, process, mounts, linux }: Spec): void {
  const asked = {
    mounts: mounts.length > 0,
    'root.readonly': root.readonly,
    'root.overlay': root.overlay,
    'process.terminal': process.terminal,
    'linux.maskedPaths': linux.maskedPaths?.length,
    'linux.readonlyPaths': linux.readonlyPaths?.length,
    'linux.rootfsPropagation': linux.rootfsPropagation,
  };
  const names = Object.entries(asked).flatMap(([name, is]) => (is ? [name] : []));
  if (names.length > 0)
    throw new Error(
      `Without a mount namespace ${names.join(', ')} would change the mounts of the host: ` +
        'add {"type":"mount"} to linux.namespaces, or leave them out.',
    );
}

/** A process is born in its PID namespace; nothing moves it into another one later. */
function bornWhereAsked<T>(namespaces: Namespace[], fork: () => T): T {
  const joins = namespaces.some(({ type, path }) => type === 'pid' && path !== undefined);
  return joins ? step('namespaces', () => forkInto(namespaces, fork)) : fork();
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
    const cgroup = hostCgroups().create({ path, resources, devices });
    if (!isFrozen(path)) return cgroup;
    cgroup.remove();
    throw new Error(
      `The cgroup ${path} is frozen, by itself or with its parent: what starts in it would wait for ever.`,
    );
  });
}
