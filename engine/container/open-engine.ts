import path from 'node:path';
import { Images } from '../image/images.ts';
import type { RegistryOptions } from '../registry/client/endpoints.ts';
import { Registries } from '../registry/client/registries.ts';
import { type Engine, newEngine } from './engine.ts';
import { handleExit, handleOutOfMemory } from './exit.ts';
import { monitorHealth } from './health-monitor.ts';
import { acquireLock } from './lock.ts';
import { closeNetworks, openNetworks, takeOverNetworks } from './networks/open-networks.ts';
import { DEFAULT_NETWORK_SETTINGS, type NetworkSettings } from './networks/settings.ts';
import { loseShim, recover, removeCgroups } from './recover.ts';
import { openRoot } from './root.ts';
import { ShimClient } from './shim-client.ts';
import { startAgain } from './start.ts';
import { superviseNoMore } from './supervise.ts';
import { checkRemap, userRemap } from './user-remap.ts';

export interface EngineOptions {
  /** The state root; made if missing. */
  directory: string;
  /** The shim's bundle: beside the running program unless told otherwise. */
  shim?: string;
  /** What `--userns-remap` says, if anything. */
  remap?: string;
  /** Why this process can run no containers, if so. */
  refusal?: string;
  registries?: RegistryOptions;
  networks?: NetworkSettings;
  warn(message: string): void;
}

export interface OpenEngine {
  engine: Engine;
  /** Let go of everything. What runs goes on running, under the shim. */
  close(): Promise<void>;
}

/** Milliseconds that a daemon that is told to stop goes on removing; the next one removes the rest. */
const CLOSING_MOST = 5_000;

/**
 * Take hold of a state root and of all that is in it.
 * @throws ContainerError `conflict` while another daemon has it
 */
export async function openEngine({
  directory,
  shim,
  remap,
  refusal,
  registries: options = {},
  networks: settings = DEFAULT_NETWORK_SETTINGS,
  warn,
}: EngineOptions): Promise<OpenEngine> {
  const root = openRoot(directory);
  const ids = remap === undefined ? undefined : userRemap(remap);
  if (ids) checkRemap(root);
  const lock = acquireLock(root.lock);
  const client = new ShimClient({
    program: shim ?? path.join(path.dirname(process.argv[1] ?? ''), 'shim.cjs'),
    socket: root.shimSocket,
    runDirectory: root.run,
  });
  try {
    const engine: Engine = newEngine({
      root,
      images: await Images.open(root.images),
      registries: new Registries(options),
      shim: client,
      networks: openNetworks(root, settings, warn),
      remap: ids,
      refusal,
      startAgain: (container) => startAgain(engine, container),
      warn,
    });
    client.on('exit', (exited) => handleExit(engine, exited));
    client.on('oom', (news) => handleOutOfMemory(engine, news));
    client.on('lost', () => {
      warn('the shim has gone, and all containers with it');
      loseShim(engine).catch((error: Error) => warn(`after the loss of the shim: ${error.message}`));
    });
    // What a restart policy starts meanwhile would take the bridges of running containers for somebody else's.
    const release = engine.networks.hold();
    try {
      await recover(engine);
      await takeOverNetworks(engine);
    } finally {
      release();
    }
    const stopMonitoring = monitorHealth(engine);
    const cached = engine.buildCache.layers();
    const kept = engine.puller.kept();
    await engine.images.collect({
      blobs: [...cached.map(({ descriptor }) => descriptor.digest), ...kept.blobs],
      diffIds: [...cached.map(({ diffId }) => diffId), ...kept.diffIds],
    });
    return {
      engine,
      close: async () => {
        superviseNoMore(engine);
        stopMonitoring();
        await client.shutdown();
        await engine.registries.close();
        await Promise.all(engine.containers.all().map((container) => container.flush()));
        await engine.trash.emptied(CLOSING_MOST);
        if (!engine.containers.all().some((container) => container.running)) removeCgroups(engine);
        await closeNetworks(engine).catch((error: Error) =>
          warn(`the networks are left as they are: ${error.message}`),
        );
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
