import type { Engine } from '../engine.ts';
import { ContainerError } from '../errors.ts';
import { emitNetworkEvent, membersOf } from './members.ts';
import { isPredefined, type NetworkRecord } from './network-record.ts';

/** @throws ContainerError `forbidden` in Docker's words for a predefined network, and for one that is in use */
export async function removeNetwork(engine: Engine, network: NetworkRecord): Promise<void> {
  const { networks, containers } = engine;
  const { id, name } = network;
  if (isPredefined(name))
    throw new ContainerError('forbidden', `${name} is a pre-defined network and cannot be removed`);
  const members = membersOf(engine, network);
  // One that is being started has its links before it runs.
  const starting = containers
    .all()
    .filter((each) => each.starting && each.record.endpoints.some((e) => e.network === id));
  const users = [...members.map(({ container }) => container), ...starting];
  if (users.length > 0) {
    const list = users.map((each) => `name:"${each.record.name}" id:"${each.id.slice(0, 12)}"`).join(', ');
    throw new ContainerError(
      'forbidden',
      `error while removing network: network ${name} has active endpoints (${list}). Stop them, or disconnect them from it.`,
    );
  }
  // From here on no container can get into it.
  networks.table.hide(network);
  try {
    await networks.host.drop(networks.bridgeOf(network));
  } catch (error) {
    networks.table.add(network);
    throw error;
  }
  networks.forget(network);
  emitNetworkEvent(engine, network, 'destroy');
}
