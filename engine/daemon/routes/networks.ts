import * as z from 'zod';
import type { Engine } from '../../container/engine.ts';
import { createNetwork, NetworkRequest } from '../../container/networks/create-network.ts';
import { EndpointSettings } from '../../container/networks/endpoint.ts';
import { membersOf } from '../../container/networks/members.ts';
import { connectContainer, disconnectContainer } from '../../container/networks/membership.ts';
import { isPredefined, type NetworkRecord } from '../../container/networks/network-record.ts';
import { removeNetwork } from '../../container/networks/remove-network.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { flagOf, timeOf } from '../image-filters.ts';
import { hasLabel } from '../labels.ts';
import { namePatterns } from '../name-pattern.ts';
import { flag, string } from '../schema.ts';
import { networkView } from '../views/network.ts';

const FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/** `GET /networks` */
export function listNetworks(call: Call): void {
  const { engine, query } = call;
  const tests = [...query.filters(FILTERS)].map(([filter, values]) => testOf(engine, filter, values));
  const networks = engine.networks.table.all().filter((network) => tests.every((test) => test(network)));
  call.send(
    200,
    networks.map((network) => networkView(engine, network)),
  );
}

type Test = (network: NetworkRecord) => boolean;

function testOf(engine: Engine, filter: string, values: string[]): Test {
  switch (filter) {
    case 'dangling': {
      const wanted = flagOf(filter, values);
      // Predefined networks are never dangling.
      return (network) => wanted === (!isPredefined(network.name) && membersOf(engine, network).length === 0);
    }
    case 'driver':
      return ({ driver }) => values.includes(driver);
    case 'scope':
      return () => values.includes('local');
    case 'type': {
      const wrong = values.find((value) => value !== 'builtin' && value !== 'custom');
      if (wrong !== undefined) throw new ApiError(400, `invalid filter: 'type'='${wrong.slice(0, 60)}'`);
      return ({ name }) => values.includes(isPredefined(name) ? 'builtin' : 'custom');
    }
    case 'label':
      return ({ labels }) => values.every((value) => hasLabel(labels, value));
    case 'label!':
      return ({ labels }) => !values.some((value) => hasLabel(labels, value));
    case 'until': {
      const until = timeOf(values);
      return ({ created }) => Date.parse(created) <= until;
    }
    case 'id':
      return ({ id }) => values.some((value) => id.startsWith(value));
    default: {
      const fits = namePatterns(filter, values);
      return ({ name }) => fits(name);
    }
  }
}

/** `POST /networks/create` */
export async function createNetworkRoute(call: Call): Promise<void> {
  const { id } = await createNetwork(call.engine, await call.body(NetworkRequest));
  call.send(201, { Id: id, Warning: '' });
}

/** `GET /networks/{id}` */
export function inspectNetwork(call: Call): void {
  const scope = call.query.text('scope');
  if (scope !== '' && scope !== 'local')
    throw new ApiError(404, `network ${call.parameter('id').slice(0, 200)} not found`);
  call.send(200, networkView(call.engine, findNetwork(call), { inspect: true }));
}

/** `DELETE /networks/{id}` */
export async function removeNetworkRoute(call: Call): Promise<void> {
  await removeNetwork(call.engine, findNetwork(call));
  call.sendNothing(204);
}

/** `POST /networks/prune`: those that clients made and no running container is in. */
export async function pruneNetworks(call: Call): Promise<void> {
  const { engine } = call;
  const tests = [...call.query.filters(['label', 'label!', 'until'])].map(([filter, values]) =>
    testOf(engine, filter, values),
  );
  const deleted: string[] = [];
  for (const network of engine.networks.table.all()) {
    if (isPredefined(network.name) || !tests.every((test) => test(network))) continue;
    // One that a container has got into meanwhile is in use.
    const gone = await removeNetwork(engine, network).then(
      () => true,
      () => false,
    );
    if (gone) deleted.push(network.name);
  }
  engine.events.emit('network', 'prune', '', { reclaimed: '0' });
  call.send(200, { NetworksDeleted: deleted });
}

const ConnectRequest = z.object({ Container: string, EndpointConfig: EndpointSettings });

/** `POST /networks/{id}/connect` */
export async function connectRoute(call: Call): Promise<void> {
  const { Container, EndpointConfig } = await call.body(ConnectRequest);
  const { engine } = call;
  await connectContainer(engine, findNetwork(call), engine.containers.find(Container), EndpointConfig);
  call.sendNothing(200);
}

const DisconnectRequest = z.object({ Container: string, Force: flag });

/** `POST /networks/{id}/disconnect` */
export async function disconnectRoute(call: Call): Promise<void> {
  const { Container, Force } = await call.body(DisconnectRequest);
  const { engine } = call;
  const network = findNetwork(call);
  // One that has gone is not in the network, which is what was asked for.
  const container = Force ? findOr(engine, Container) : engine.containers.find(Container);
  if (container) await disconnectContainer(engine, network, container, { force: Force });
  call.sendNothing(200);
}

function findOr(engine: Engine, name: string) {
  try {
    return engine.containers.find(name);
  } catch {
    return undefined;
  }
}

/** `GET /plugins` */
export function listPlugins(call: Call): void {
  call.send(200, []);
}

/** `GET /plugins/{name}/json` */
export function inspectPlugin(call: Call): void {
  const name = call.parameter('*').replace(/\/json$/, '');
  throw new ApiError(404, `plugin "${name.slice(0, 200)}" not found`);
}

/** By name, id, or the beginning of an id. @throws ContainerError `not-found` */
function findNetwork(call: Call): NetworkRecord {
  return call.engine.networks.table.find(call.parameter('id'));
}
