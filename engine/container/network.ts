/** Which network a container is in, and what there has to be for it while it runs. */

import fs from 'node:fs';
import path from 'node:path';
import { inUserNamespace } from '#kernel/user-namespace';
import {
  connectUserMode,
  disconnectUserMode,
  findUserMode,
  namespacePath,
  type UserModeProgram,
  userModePrograms,
  whyNoUserMode,
} from '../network/user-mode.ts';
import { ContainerError } from './errors.ts';
import type { ContainerRecord } from './record.ts';
import type { StateRoot } from './root.ts';

/**
 * There is no bridge yet: a container that asks for no network in particular gets none. One of an ordinary user, who could
 * not make a bridge, gets what the user's programs can reach.
 * @throws ContainerError for an unknown network.
 */
export function networkMode(asked: string): string {
  if (asked === '' || asked === 'default') return (inUserNamespace() ? findUserMode() : null) ?? 'none';
  if (asked === 'none' || asked === 'host') return asked;
  if (isUserMode(asked)) {
    const why = inUserNamespace()
      ? whyNoUserMode(asked)
      : `The network ${asked} is for users who are not root. Use --network none or --network host.`;
    if (why !== null) throw new ContainerError('unsupported', why);
    return asked;
  }
  if (asked === 'bridge' || asked.startsWith('container:'))
    throw new ContainerError(
      'unsupported',
      `This engine does not have --network ${asked}. Use --network none or --network host.`,
    );
  // Docker answers 404 here, after which its command goes looking for the image.
  throw new ContainerError('invalid', `network ${asked.slice(0, 100)} not found: there are none and host.`);
}

export function isUserMode(mode: string): mode is UserModeProgram {
  return userModePrograms.some((name) => name === mode);
}

/** The network namespace that is made before the container; undefined when the container makes its own or has none. */
export function networkNamespace(root: StateRoot, { id, hostConfig }: ContainerRecord): string | undefined {
  return isUserMode(hostConfig.NetworkMode) ? namespacePath(directoryOf(root, id)) : undefined;
}

/** Make the network of a container that is about to start. @throws ContainerError that says what to do without it. */
export async function connectNetwork(root: StateRoot, { id, hostConfig }: ContainerRecord): Promise<void> {
  if (!isUserMode(hostConfig.NetworkMode)) return;
  try {
    await connectUserMode(hostConfig.NetworkMode, directoryOf(root, id));
  } catch (error) {
    throw new ContainerError('failed', `${(error as Error).message}. Without a network: --network none.`, {
      cause: error,
    });
  }
}

export function disconnectNetwork(root: StateRoot, { id, hostConfig }: ContainerRecord): void {
  if (isUserMode(hostConfig.NetworkMode)) disconnectUserMode(directoryOf(root, id));
}

/** End the networks of containers that do not run. @param runs whether the container of that id does. */
export function sweepNetworks(root: StateRoot, runs: (id: string) => boolean): void {
  const all = path.join(root.run, 'networks');
  if (!fs.existsSync(all)) return;
  for (const id of fs.readdirSync(all)) if (!runs(id)) disconnectUserMode(directoryOf(root, id));
}

function directoryOf(root: StateRoot, id: string): string {
  return path.join(root.run, 'networks', id);
}
