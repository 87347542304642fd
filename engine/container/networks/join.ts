/** A container's links, addresses and ports: made when it starts, given back when it ends. */

import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { setInterfaceUp } from '#kernel/interfaces';
import { macFromAddress } from '../../network/bridge.ts';
import type { PublishedPort } from '../../network/contract/network.ts';
import { inNamespace, makeNamespace } from '../../network/namespace.ts';
import type { Engine } from '../engine.ts';
import { ContainerError } from '../errors.ts';
import type { ContainerRecord } from '../record.ts';
import { bridgeOptions } from './bridge-options.ts';
import type { Connection, EndpointRecord } from './endpoint.ts';
import { emitNetworkEvent } from './members.ts';
import type { NetworkRecord } from './network-record.ts';
import type { Networks } from './networks.ts';
import { type PortRequest, portName, portRequests } from './port-map.ts';

/**
 * Make the network namespace of a container that is about to start, with a link for each of its endpoints, and publish its
 * ports. Nothing is left of it if a step fails.
 * @returns a descriptor of the namespace, which lives as long as that is open or a process is in it
 * @throws ContainerError that says what failed
 */
export async function joinNetworks(engine: Engine, record: ContainerRecord): Promise<number> {
  const { networks } = engine;
  await networks.settled();
  const places = placesOf(engine, record.endpoints);
  const namespace = makeNamespace();
  try {
    // What joins a namespace leaves it as it is.
    inNamespace(namespace, () => setInterfaceUp('lo'));
    for (const { network } of places) await networks.raise(network);
    const gateway = gatewayOf(places);
    for (const [index, place] of places.entries())
      plug(engine, record, place, { interface: `eth${index}`, isGateway: place === gateway, namespace });
    networks.names.serve(record, namespace);
    await publishPorts(engine, record);
    return namespace;
  } catch (error) {
    leaveNetworks(engine, record);
    closeSync(namespace);
    throw failure(error);
  }
}

/** A container that has ended, or was not started after all: its links go, its addresses and ports are free. */
export function leaveNetworks(engine: Engine, record: ContainerRecord): void {
  const { networks } = engine;
  const ports = record.published;
  record.published = [];
  networks.names.stop(record);
  for (const endpoint of record.endpoints) unplug(engine, record, endpoint);
  if (ports.length > 0)
    networks.defer(
      networks.host.unpublish(ports).catch((error: Error) => engine.warn(`${record.name}: ${error.message}`)),
    );
}

export interface Place {
  endpoint: EndpointRecord;
  network: NetworkRecord;
}

/** @throws ContainerError `not-found` for a network that has been removed since */
export function placesOf({ networks }: Engine, endpoints: EndpointRecord[]): Place[] {
  return endpoints.map((endpoint) => {
    const network = networks.table.get(endpoint.network);
    if (network === undefined) throw new ContainerError('not-found', `network ${endpoint.name} not found`);
    return { endpoint, network };
  });
}

/** Whose bridge the default route leads through: of networks that lead anywhere, the highest priority, then the first name. */
export function gatewayOf(places: Place[]): Place | undefined {
  return places
    .filter(({ network }) => !network.internal)
    .sort((a, b) => b.endpoint.priority - a.endpoint.priority || (a.network.name < b.network.name ? -1 : 1))[0];
}

/** Take addresses and connect one endpoint. @throws with nothing left */
export function plug(
  engine: Engine,
  record: ContainerRecord,
  { endpoint, network }: Place,
  link: { interface: string; isGateway: boolean; namespace: number },
): void {
  const { networks } = engine;
  const taken: string[] = [];
  try {
    const take = (family: 4 | 6, asked: string) => {
      const address = networks.addresses.take(network, family, asked);
      taken.push(address);
      return address;
    };
    const ipv4 = take(4, endpoint.ipv4);
    const ipv6 = take(6, endpoint.ipv6);
    const id = randomBytes(32).toString('hex');
    const mac = endpoint.mac || macFromAddress((ipv4 || ipv6).replace(/\/.*/, ''));
    const gateway = (family: 4 | 6) =>
      (!network.internal && network.ipam.find(({ subnet }) => subnet.includes(':') === (family === 6))?.gateway) || '';
    const has = { id, interface: link.interface, mac, ipv4, ipv6, gateway: gateway(4), gateway6: gateway(6) };
    networks.host.connect(endpointOf(networks, { endpoint, network }, has, link.isGateway), link.namespace);
    endpoint.connection = has;
    networks.names.enter(record, endpoint);
    emitNetworkEvent(engine, network, 'connect', { container: record.id });
  } catch (error) {
    for (const address of taken) networks.addresses.release(network.id, address);
    throw error;
  }
}

/** A place as the room of networks knows it. */
function endpointOf(networks: Networks, { network }: Place, connection: Connection, isGateway: boolean) {
  const { id, interface: name, mac, ipv4, ipv6 } = connection;
  const addresses = [ipv4, ipv6].filter(Boolean);
  return { id, network: networks.bridgeOf(network), interface: name, addresses, mac, isGateway };
}

/** Lead the default routes of a running container through the place that is to have them, if there is one. */
export function leadRoutes(engine: Engine, places: Place[], namespace: number): void {
  const { networks } = engine;
  const gateway = gatewayOf(places);
  if (gateway?.endpoint.connection)
    networks.host.lead(endpointOf(networks, gateway, gateway.endpoint.connection, true), namespace);
}

/** Nothing happens to an endpoint without a connection. */
export function unplug(engine: Engine, record: ContainerRecord, endpoint: EndpointRecord): void {
  const { connection } = endpoint;
  if (connection === null) return;
  const { networks } = engine;
  networks.names.leave(endpoint);
  endpoint.connection = null;
  for (const address of [connection.ipv4, connection.ipv6]) networks.addresses.release(endpoint.network, address);
  const network = networks.table.get(endpoint.network);
  if (network === undefined) return;
  try {
    networks.host.disconnect(endpointOf(networks, { endpoint, network }, connection, false));
  } catch (error) {
    engine.warn(`${record.name}: ${(error as Error).message}`);
  }
  emitNetworkEvent(engine, network, 'disconnect', { container: record.id });
}

/** Publish what the container asked for, through the network that has its default route. @throws ContainerError */
export async function publishPorts(engine: Engine, record: ContainerRecord): Promise<void> {
  const { networks } = engine;
  const requests = portRequests(record.config, record.hostConfig);
  if (requests.length === 0) return;
  const gateway = gatewayOf(placesOf(engine, record.endpoints));
  if (gateway?.endpoint.connection == null)
    throw new ContainerError(
      'invalid',
      'ports cannot be published: the container is only in internal networks. Leave --publish out, or connect it to another network.',
    );
  const { ipv4, ipv6 } = gateway.endpoint.connection;
  const { hostAddress } = bridgeOptions(gateway.network, networks.settings);
  const ports = requests.flatMap((request) => portsOf(request, { ipv4, ipv6, hostAddress }));
  record.published = await networks.host.publish(networks.bridgeOf(gateway.network), ports);
}

function portsOf(request: PortRequest, has: { ipv4: string; ipv6: string; hostAddress: string }): PublishedPort[] {
  const bare = (address: string) => address.replace(/\/.*/, '');
  const addresses =
    request.hostAddress || has.hostAddress
      ? [request.hostAddress || has.hostAddress]
      : [...(has.ipv4 ? ['0.0.0.0'] : []), ...(has.ipv6 ? ['::'] : [])];
  return addresses.map((hostAddress) => {
    const containerAddress = bare(hostAddress.includes(':') ? has.ipv6 : has.ipv4);
    if (containerAddress === '')
      throw new ContainerError(
        'invalid',
        `the port ${portName(request)} cannot be published on ${hostAddress}: the container has no address of that family. Leave that address out, or use a network with both.`,
      );
    return {
      protocol: request.protocol,
      containerAddress,
      containerPort: request.port,
      hostAddress,
      hostPort: request.hostPort,
      ...(request.lastHostPort > request.hostPort && { lastHostPort: request.lastHostPort }),
    };
  });
}

function failure(error: unknown): ContainerError {
  if (error instanceof ContainerError) return error;
  return new ContainerError('failed', `${(error as Error).message}`, { cause: error });
}
