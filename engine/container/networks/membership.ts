/** Containers that get into a network, or out of it, after they were made. */

import fs from 'node:fs';
import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import { ContainerError } from '../errors.ts';
import { ownHosts, resolvConf } from '../etc-files.ts';
import { NOT_REMAPPED } from '../network.ts';
import { remapOf } from '../user-remap.ts';
import { chooseEndpoint } from './choose.ts';
import type { EndpointRecord, EndpointSettings } from './endpoint.ts';
import { gatewayOf, leadRoutes, placesOf, plug, publishPorts, unplug } from './join.ts';
import type { NetworkRecord } from './network-record.ts';
import { whyNoBridges } from './why-no-bridges.ts';

/** Connect a container to one more network: at once if it runs, else at its next start. @throws ContainerError in Docker's words */
export async function connectContainer(
  engine: Engine,
  network: NetworkRecord,
  container: Container,
  settings: EndpointSettings,
): Promise<void> {
  await container.lock.run(async () => {
    const { record } = container;
    refuseModes(container, network);
    if (record.endpoints.some((endpoint) => endpoint.network === network.id))
      throw new ContainerError(
        'forbidden',
        `endpoint with name ${record.name} already exists in network ${network.name}`,
      );
    if (remapOf(engine.remap, record.hostConfig)) throw new ContainerError('unsupported', NOT_REMAPPED);
    const why = whyNoBridges();
    if (why !== null) throw new ContainerError('unsupported', why);
    const endpoint = chooseEndpoint(engine, network, settings);
    // From `none` a container goes to the network: it is in that one alone.
    if (record.hostConfig.NetworkMode === 'none') record.hostConfig.NetworkMode = network.name;
    record.endpoints.push(endpoint);
    try {
      if (container.running) await connectNow(engine, container, endpoint, network);
      await container.save();
    } catch (error) {
      unplug(engine, record, endpoint);
      record.endpoints = record.endpoints.filter((each) => each !== endpoint);
      if (record.endpoints.length === 0) record.hostConfig.NetworkMode = 'none';
      throw error instanceof ContainerError
        ? error
        : new ContainerError('failed', (error as Error).message, { cause: error });
    }
  });
}

/** @throws ContainerError in Docker's words */
export async function disconnectContainer(
  engine: Engine,
  network: NetworkRecord,
  container: Container,
  { force }: { force: boolean },
): Promise<void> {
  await container.lock.run(async () => {
    const { record } = container;
    if (network.driver === 'host' && record.hostConfig.NetworkMode === 'host')
      throw new ContainerError(
        'forbidden',
        'container cannot be disconnected from host network - container can only be created with host network',
      );
    const endpoint = record.endpoints.find((each) => each.network === network.id);
    if (endpoint === undefined) {
      if (force) return;
      throw new ContainerError(
        'forbidden',
        `container ${container.id} is not connected to the network ${network.name}`,
      );
    }
    if (endpoint.connection) editHosts(container, [], ownHosts(endpoint.connection, record.config));
    unplug(engine, record, endpoint);
    record.endpoints = record.endpoints.filter((each) => each !== endpoint);
    const { NetworkMode } = record.hostConfig;
    if (record.endpoints.length === 0) record.hostConfig.NetworkMode = 'none';
    else if (NetworkMode === network.name || NetworkMode === network.id)
      record.hostConfig.NetworkMode = record.endpoints[0]!.name;
    if (container.running) await followGateway(engine, container);
    await container.save();
  });
}

async function connectNow(
  engine: Engine,
  container: Container,
  endpoint: EndpointRecord,
  network: NetworkRecord,
): Promise<void> {
  const { record, paths } = container;
  const before = resolvConf(engine, record);
  await engine.networks.settled();
  await engine.networks.raise(network);
  withNamespace(container, (namespace) => {
    const link = { interface: freeInterface(record.endpoints), isGateway: false, namespace };
    plug(engine, record, { endpoint, network }, link);
    engine.networks.names.serve(record, namespace);
    // What the user has written there stays.
    if (fs.readFileSync(paths.resolvConf, 'utf8') === before)
      fs.writeFileSync(paths.resolvConf, resolvConf(engine, record));
  });
  if (endpoint.connection) editHosts(container, ownHosts(endpoint.connection, record.config), []);
  await followGateway(engine, container);
}

/** The default routes, and the published ports with them, lead through one network: which one may have changed. */
async function followGateway(engine: Engine, container: Container): Promise<void> {
  const { record } = container;
  const places = placesOf(engine, record.endpoints);
  withNamespace(container, (namespace) => leadRoutes(engine, places, namespace));
  const gateway = gatewayOf(places);
  const isRight = record.published.every(({ containerAddress }) => gateway && isOf(gateway.endpoint, containerAddress));
  if (isRight && record.published.length > 0) return;
  const ports = record.published;
  record.published = [];
  await engine.networks.host.unpublish(ports);
  // A client that has chosen ports of the host's knows them; those the kernel chose may be others now, as in Docker.
  if (gateway) await publishPorts(engine, record);
}

function withNamespace(container: Container, task: (namespace: number) => void): void {
  const namespace = fs.openSync(`/proc/${container.record.pid}/ns/net`, 'r');
  try {
    task(namespace);
  } finally {
    fs.closeSync(namespace);
  }
}

function freeInterface(endpoints: EndpointRecord[]): string {
  const taken = new Set(endpoints.map(({ connection }) => connection?.interface));
  for (let index = 0; ; index++) if (!taken.has(`eth${index}`)) return `eth${index}`;
}

function isOf({ connection }: EndpointRecord, address: string): boolean {
  return [connection?.ipv4, connection?.ipv6].some((each) => each?.replace(/\/.*/, '') === address);
}

/** The container sees the file through a mount, so it is written over and not replaced. Lines of others stay. */
function editHosts({ paths }: Container, added: string[], removed: string[]): void {
  const lines = fs.readFileSync(paths.hosts, 'utf8').trimEnd().split('\n');
  fs.writeFileSync(paths.hosts, `${[...lines.filter((line) => !removed.includes(line)), ...added].join('\n')}\n`);
}

function refuseModes({ record }: Container, network: NetworkRecord): void {
  const mode = record.hostConfig.NetworkMode;
  if (record.status === 'removing' || record.status === 'dead')
    throw new ContainerError(
      'forbidden',
      `container ${record.name} is marked for removal and cannot be connected or disconnected to the network`,
    );
  if (mode.startsWith('container:'))
    throw new ContainerError(
      'forbidden',
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (mode === 'host' || network.driver === 'host')
    throw new ContainerError(
      'forbidden',
      'container cannot be connected to host network - container must be created in host mode',
    );
  if (network.driver === 'null')
    throw new ContainerError(
      'forbidden',
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  if (mode === 'slirp4netns' || mode === 'pasta')
    throw new ContainerError(
      'unsupported',
      `a container with the network ${mode} cannot be connected to others. Make it with --network none.`,
    );
}
