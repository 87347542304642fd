import { hasOneId, inUserNamespace } from '#kernel/user-namespace';
import type { Engine } from '../../container/engine.ts';
import { whyNoBridges } from '../../container/networks/why-no-bridges.ts';
import { findUserMode, whyNoUserMode } from '../../network/user-mode.ts';
import { whyNoCgroups } from '../../runtime/cgroups/host.ts';

/** What this host does not give the engine, each in a sentence that says how to get it. */
export function warnings({ refusal }: Engine): string[] {
  if (refusal !== undefined) return [`WARNING: ${refusal}`];
  const limits = whyNoCgroups();
  const bridges = whyNoBridges();
  return [
    ...(limits === null ? [] : [`WARNING: ${limits}`]),
    ...(inUserNamespace() && hasOneId()
      ? [
          'WARNING: This user has no subordinate ids, so a container has one user, root, who owns every file. For others: ' +
            'install newuidmap (package uidmap) and give this user ranges: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME.',
        ]
      : []),
    ...(bridges === null ? [] : [`WARNING: ${bridges}`]),
    ...(inUserNamespace() && findUserMode() === null ? [`WARNING: ${whyNoUserMode('slirp4netns')}`] : []),
  ];
}
