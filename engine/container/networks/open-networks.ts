/** The networks of an engine from the start of a daemon to its end. */

import fs from 'node:fs';
import { openHostNetwork } from '../../network/host-network.ts';
import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import type { StateRoot } from '../root.ts';
import { openNamespace } from './container-namespace.ts';
import type { PublishedRecord } from './endpoint.ts';
import { Networks } from './networks.ts';
import type { NetworkSettings } from './settings.ts';
import { whyNoBridges } from './why-no-bridges.ts';

/** Milliseconds between looks at whether the rules are still there. */
const LOOK_EVERY = 5000;

export function openNetworks(root: StateRoot, settings: NetworkSettings, warn: (message: string) => void): Networks {
  const host = openHostNetwork({
    root: root.key,
    ipForward: settings.forward,
    directory: root.run,
    lookEvery: LOOK_EVERY,
    warn,
  });
  const bridge = settings.bridge && whyNoBridges() === null;
  const networks = new Networks(root, { ...settings, bridge }, host);
  networks.load(warn);
  return networks;
}

/**
 * What runs goes on: its addresses are taken, its ports held, and the rules made anew from the records. Containers that
 * have ended since the last daemon have given everything back already. What goes wrong with a network is a warning. To be
 * called before anything else gets past `Networks.settled`.
 */
export async function takeOverNetworks(engine: Engine): Promise<void> {
  const { networks, containers } = engine;
  const running = containers.all().filter(({ running }) => running);
  for (const { record } of running)
    for (const { network, connection } of record.endpoints)
      for (const address of [connection?.ipv4, connection?.ipv6])
        if (address) networks.addresses.retake(network, address);
  for (const container of running) nameAgain(engine, container);
  for (const { record } of containers.all().filter(({ running }) => !running))
    for (const endpoint of record.endpoints) endpoint.connection = null;
  const all = networks.table.all().filter(({ driver, ipam }) => driver === 'bridge' && ipam.length > 0);
  const isUsed = running.some(({ record }) => record.endpoints.length > 0);
  // A host that has changed must not keep the daemon from those containers that go on.
  await (isUsed ? takeOver() : networks.clear()).catch((error: Error) =>
    engine.warn(`the networks of an earlier daemon could not be taken over whole: ${error.message}`),
  );

  async function takeOver(): Promise<void> {
    networks.takeOver(all);
    const ports = running.flatMap(({ record }) => record.published);
    const bridges = all.map((each) => networks.bridgeOf(each));
    for (const { port, reason } of await networks.host.takeOver(bridges, ports)) {
      engine.warn(`the port ${port.hostPort}/${port.protocol} is published no more: ${reason}`);
      const same = (other: PublishedRecord) =>
        (['protocol', 'hostAddress', 'hostPort'] as const).every((field) => other[field] === port[field]);
      for (const { record } of running) record.published = record.published.filter((other) => !same(other));
    }
  }
}

/** While there was no daemon nobody answered: clients asked again, or gave up. */
function nameAgain({ networks, warn }: Engine, container: Container): void {
  const { record } = container;
  if (record.endpoints.length === 0) return;
  for (const endpoint of record.endpoints) networks.names.enter(record, endpoint);
  try {
    const namespace = openNamespace(record);
    try {
      networks.names.serve(record, namespace);
    } finally {
      fs.closeSync(namespace);
    }
  } catch (error) {
    warn(`${record.name} does not find others by name: ${(error as Error).message}`);
  }
}

/** The end of a daemon: with no container running nothing of its networks is left; otherwise all of it goes on. */
export async function closeNetworks(engine: Engine): Promise<void> {
  const { networks, containers } = engine;
  await networks.settled();
  networks.names.close();
  if (!containers.all().some(({ running }) => running)) await networks.clear();
  networks.host.close();
}
