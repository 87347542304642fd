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
import type { HostConfig } from './config.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { ContainerError } from './errors.ts';
import { openNamespace } from './networks/container-namespace.ts';
import { joinNetworks, leaveNetworks } from './networks/join.ts';
import { whyNoBridges } from './networks/why-no-bridges.ts';
import type { ContainerRecord } from './record.ts';
import type { StateRoot } from './root.ts';
import { remapOf } from './user-remap.ts';

/** A container that shares another one's network has this and the other's id. */
const CONTAINER = 'container:';

/**
 * The mode that a request means, with what is left to the engine filled in: `bridge` is the default unless the daemon has
 * none; a container of an ordinary user, who cannot make a bridge, gets what the user's programs can reach.
 * @throws ContainerError for an unknown network.
 */
export function networkMode(engine: Engine, hostConfig: HostConfig): string {
  const { networks } = engine;
  const asked = hostConfig.NetworkMode;
  const isRemapped = remapOf(engine.remap, hostConfig) !== undefined;
  const noBridges = whyNoBridges();
  const hasBridge = networks.settings.bridge && !isRemapped;
  if (asked === '' || asked === 'default')
    return hasBridge ? 'bridge' : ((inUserNamespace() ? findUserMode() : null) ?? 'none');
  if (asked === 'none' || asked === 'host') return asked;
  if (isUserMode(asked)) {
    const why = inUserNamespace()
      ? whyNoUserMode(asked)
      : `The network ${asked} is for users who are not root. Use --network none or --network host.`;
    if (why !== null) throw new ContainerError('unsupported', why);
    return asked;
  }
  if (isRemapped) throw new ContainerError('unsupported', NOT_REMAPPED);
  if (asked.startsWith(CONTAINER)) return CONTAINER + targetOf(engine, asked).id;
  if (noBridges !== null && (asked === 'bridge' || networks.table.has(asked)))
    throw new ContainerError('unsupported', noBridges);
  if (asked === 'bridge' && !networks.settings.bridge)
    throw new ContainerError(
      'unsupported',
      'There is no --network bridge here, since the daemon was started with --bridge none. Use --network none or --network host, or a network of your own.',
    );
  try {
    networks.table.find(asked);
  } catch (error) {
    // Docker answers 404 here, after which its command goes looking for the image.
    throw new ContainerError('invalid', (error as Error).message);
  }
  return asked;
}

/** The container's root could not mount /sys: the kernel asks for rights over the network namespace, which is the host's. */
export const NOT_REMAPPED =
  'A container with a user namespace of its own (--userns-remap) cannot be in a network of bridges, nor in that of another container. Use --network none, or --userns host.';

function isUserMode(mode: string): mode is UserModeProgram {
  return userModePrograms.some((name) => name === mode);
}

/** The container whose network another one shares; undefined for one with a network of its own. */
export function sharesNetworkOf(networkMode: string): string | undefined {
  return networkMode.startsWith(CONTAINER) ? networkMode.slice(CONTAINER.length) : undefined;
}

function targetOf(engine: Engine, mode: string): Container {
  try {
    return engine.containers.find(sharesNetworkOf(mode) ?? '');
  } catch (error) {
    throw new ContainerError('invalid', `--network ${mode.slice(0, 200)}: ${(error as Error).message}`);
  }
}

/** A network namespace that was made before the container. */
export interface MadeNetwork {
  /** For the specification. */
  path: string;
  /** The namespace is held until then: call it once a process of the container is in it. Twice is once. */
  letGo(): void;
}

/**
 * Make the network of a container that is about to start.
 * @returns undefined for a container that makes its own namespace, or has none
 * @throws ContainerError that says what to do without it.
 */
export async function connectNetwork(engine: Engine, record: ContainerRecord): Promise<MadeNetwork | undefined> {
  const mode = record.hostConfig.NetworkMode;
  if (isUserMode(mode)) {
    const directory = directoryOf(engine.root, record.id);
    try {
      await connectUserMode(mode, directory);
    } catch (error) {
      throw new ContainerError('failed', `${(error as Error).message}. Without a network: --network none.`, {
        cause: error,
      });
    }
    return { path: namespacePath(directory), letGo: () => {} };
  }
  if (sharesNetworkOf(mode) !== undefined) return held(openNamespaceOf(engine, targetOf(engine, mode)));
  if (record.endpoints.length === 0) return undefined;
  return held(await joinNetworks(engine, record));
}

function held(namespace: number): MadeNetwork {
  let open = true;
  const letGo = () => {
    if (open) fs.closeSync(namespace);
    open = false;
  };
  return { path: `/proc/${process.pid}/fd/${namespace}`, letGo };
}

/** @returns a descriptor. @throws ContainerError `conflict` if the container does not run */
function openNamespaceOf(engine: Engine, container: Container): number {
  const { running, record, id } = container;
  const stopped = () => new ContainerError('conflict', `cannot join network of a non running container: ${id}`);
  if (!running) throw stopped();
  try {
    return openNamespace(record, { isHost: hasHostNetwork(engine, container) });
  } catch {
    throw stopped();
  }
}

/** Whether it has the host's network, or shares that of one that has. */
function hasHostNetwork(engine: Engine, { record }: Container): boolean {
  const other = engine.containers.get(sharesNetworkOf(record.hostConfig.NetworkMode) ?? '');
  return record.hostConfig.NetworkMode === 'host' || (other !== undefined && hasHostNetwork(engine, other));
}

export function disconnectNetwork(engine: Engine, record: ContainerRecord): void {
  if (isUserMode(record.hostConfig.NetworkMode)) disconnectUserMode(directoryOf(engine.root, record.id));
  leaveNetworks(engine, record);
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
