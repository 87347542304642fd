/** Which networks a container is to be in, from what its request says. */

import net from 'node:net';
import type { ContainerConfig, HostConfig } from '../config.ts';
import type { Engine } from '../engine.ts';
import { ContainerError } from '../errors.ts';
import type { EndpointRecord, EndpointSettings, NetworkingConfig } from './endpoint.ts';
import type { NetworkRecord } from './network-record.ts';

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
const MOST_NETWORKS = 64;

export interface NetworkAsked {
  config: Pick<ContainerConfig, 'MacAddress'>;
  hostConfig: Pick<HostConfig, 'NetworkMode' | 'Links'>;
  networking: NetworkingConfig;
}

/**
 * The endpoints of a new container, that of its NetworkMode first. None for a mode that is not a network of bridges.
 * @throws ContainerError in Docker's words for what does not go together
 */
export function chooseEndpoints(engine: Engine, { config, hostConfig, networking }: NetworkAsked): EndpointRecord[] {
  const { table } = engine.networks;
  const mode = hostConfig.NetworkMode;
  const main = mode.startsWith('container:') ? undefined : findOr(engine, mode);
  const asked = Object.entries(networking.EndpointsConfig).map(([name, settings]) => {
    const isMain = name === 'default' || name === mode || (main && (name === main.name || name === main.id));
    return { name, settings, isMain, network: isMain ? main : table.find(name) };
  });
  if (main === undefined || main.driver !== 'bridge') {
    const other = asked.find(({ isMain }) => !isMain);
    if (other)
      throw new ContainerError(
        'invalid',
        `conflicting options: a container with the network mode ${mode} cannot be connected to the network ${other.name}`,
      );
    for (const { settings } of asked) refuseSettings(mode, settings);
    return [];
  }
  if (asked.length > MOST_NETWORKS)
    throw new ContainerError(
      'invalid',
      `a container can be in ${MOST_NETWORKS} networks at most, not ${asked.length}.`,
    );
  const first = asked.find(({ isMain }) => isMain)?.settings;
  const endpoints = [
    chooseEndpoint(engine, main, withMac(first, config.MacAddress), hostConfig.Links),
    ...asked.filter(({ isMain }) => !isMain).map(({ network, settings }) => chooseEndpoint(engine, network!, settings)),
  ];
  const ids = endpoints.map(({ network }) => network);
  if (new Set(ids).size < ids.length)
    throw new ContainerError('invalid', 'a network is named twice, by its name and by its id. Name it once.');
  return endpoints;
}

/** @throws ContainerError in Docker's words for what this network, or this engine, cannot give */
export function chooseEndpoint(
  engine: Engine,
  network: NetworkRecord,
  settings: EndpointSettings | undefined,
  links: string[] = [],
): EndpointRecord {
  const invalid = (why: string) =>
    new ContainerError('invalid', `invalid endpoint settings for the network ${network.name}: ${why}`);
  const { IPAMConfig, Aliases = [], Links = [], MacAddress = '', DriverOpts = {}, GwPriority = 0 } = settings ?? {};
  const { IPv4Address: ipv4 = '', IPv6Address: ipv6 = '', LinkLocalIPs = [] } = IPAMConfig ?? {};
  if (network.driver !== 'bridge')
    throw new ContainerError(
      'forbidden',
      `container cannot be connected to ${network.name} network - container must be created in ${network.name} mode`,
    );
  if (network.name === 'bridge' && Aliases.length > 0)
    throw invalid('network-scoped aliases are only supported for user-defined networks');
  if ((ipv4 || ipv6) && network.name === 'bridge')
    throw invalid('user specified IP address is supported on user defined networks only');
  if ((ipv4 || ipv6) && !network.ownSubnets)
    throw invalid(
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    );
  for (const [address, family] of [
    [ipv4, 4],
    [ipv6, 6],
  ] as const) {
    if (address !== '' && net.isIP(address) !== family)
      throw invalid(`invalid IPv${family} address: ${address.slice(0, 60)}`);
    if (address !== '' && !engine.networks.addresses.holds(network, family, address))
      throw invalid(`no configured subnet contains the IP address ${address}`);
  }
  if (MacAddress !== '' && !MAC.test(MacAddress)) throw invalid(`invalid MAC address: ${MacAddress.slice(0, 60)}`);
  // The second bit of a MAC address says that it is for many: a link cannot have one of those.
  if (MacAddress !== '' && Number.parseInt(MacAddress.slice(0, 2), 16) % 2 === 1)
    throw invalid(`the MAC address ${MacAddress} is one of a group. Choose one whose first byte is even.`);
  if (LinkLocalIPs.length > 0)
    throw new ContainerError(
      'unsupported',
      'This engine does not have link-local addresses. Leave --link-local-ip out.',
    );
  const [option] = Object.keys(DriverOpts);
  if (option !== undefined)
    throw new ContainerError(
      'unsupported',
      `This engine does not have the endpoint option ${option.slice(0, 100)}. Leave --driver-opt out.`,
    );
  const wrong = Aliases.find((alias) => !/^[\w.-]{1,255}$/.test(alias));
  if (wrong !== undefined) throw invalid(`invalid alias: ${JSON.stringify(wrong.slice(0, 60))}`);
  return {
    network: network.id,
    name: network.name,
    ipv4,
    ipv6,
    mac: MacAddress.toLowerCase(),
    aliases: [...new Set(Aliases)],
    links: network.name === 'bridge' ? [] : [...new Set([...links, ...Links])],
    priority: GwPriority,
    connection: null,
  };
}

/** The field of older clients says the same as the endpoint's own. */
function withMac(settings: EndpointSettings | undefined, mac: string): EndpointSettings | undefined {
  if (mac === '') return settings;
  if (settings?.MacAddress && settings.MacAddress !== mac)
    throw new ContainerError(
      'invalid',
      'conflicting MAC addresses: that of the container and that of its endpoint must match',
    );
  return { ...(settings ?? EMPTY), MacAddress: mac };
}

const EMPTY: EndpointSettings = {
  IPAMConfig: { IPv4Address: '', IPv6Address: '', LinkLocalIPs: [] },
  Links: [],
  Aliases: [],
  MacAddress: '',
  DriverOpts: {},
  GwPriority: 0,
};

function refuseSettings(mode: string, { IPAMConfig, Aliases, MacAddress }: EndpointSettings): void {
  const asked = [
    [IPAMConfig.IPv4Address || IPAMConfig.IPv6Address, 'an IP address'],
    [Aliases[0], 'an alias'],
    [MacAddress, 'a MAC address'],
  ] as const;
  for (const [value, what] of asked)
    if (value)
      throw new ContainerError(
        'invalid',
        `conflicting options: ${what} (${value.slice(0, 60)}) and the network mode ${mode}, which has none of its own`,
      );
}

/** Modes that are not networks have no record. */
function findOr(engine: Engine, mode: string): NetworkRecord | undefined {
  try {
    return engine.networks.table.find(mode);
  } catch {
    return undefined;
  }
}
