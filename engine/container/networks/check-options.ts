import type { ContainerConfig, HostConfig } from '../config.ts';
import type { Engine } from '../engine.ts';
import { ContainerError } from '../errors.ts';
import { sharesNetworkOf } from '../network.ts';
import { parseLink } from './links.ts';
import { exposedPorts, portRequests } from './port-map.ts';
import { whyNoBridges } from './why-no-bridges.ts';

/**
 * Check what of a request's options goes with its network mode, in Docker's words.
 * @param config as the client sent it: what its image adds conflicts with nothing. @throws ContainerError `invalid`
 */
export function checkNetworkOptions(engine: Engine, config: ContainerConfig, hostConfig: HostConfig): void {
  const { NetworkMode, Links, PublishAllPorts, PortBindings, Dns, ExtraHosts } = hostConfig;
  exposedPorts(Object.keys(config.ExposedPorts));
  portRequests(config, hostConfig);
  const conflict = (what: string) => {
    throw new ContainerError('invalid', `conflicting options: ${what}`);
  };
  if (NetworkMode === 'host' && Links.length > 0)
    conflict("host type networking can't be used with links. This would result in undefined behavior");
  if (WITHOUT_BRIDGE.includes(NetworkMode)) refuseWithoutBridge(config, hostConfig);
  for (const link of Links) parseLink(engine, link);
  if (sharesNetworkOf(NetworkMode) === undefined) return;
  if (config.Hostname !== '') conflict('hostname and the network mode');
  if (Links.length > 0)
    conflict("container type network can't be used with links. This would result in undefined behavior");
  if (Dns.length > 0) conflict('dns and the network mode');
  if (ExtraHosts.length > 0) conflict('custom host-to-IP mapping and the network mode');
  if (config.MacAddress !== '') conflict('mac-address and the network mode');
  if (PublishAllPorts || Object.keys(PortBindings).length > 0)
    conflict('port publishing and the container type network mode');
  if (Object.keys(config.ExposedPorts).length > 0) conflict('port exposing and the container type network mode');
}

/** Modes in which nothing of the host's leads to the container. */
const WITHOUT_BRIDGE = ['none', 'slirp4netns', 'pasta'];

function refuseWithoutBridge({ MacAddress }: ContainerConfig, hostConfig: HostConfig): void {
  const { NetworkMode, Links } = hostConfig;
  const refuse = (what: string) => {
    throw new ContainerError(
      'unsupported',
      `${what} needs a network of bridges, and this container has the network ${NetworkMode}. ${whyNoBridges() ?? 'Leave it out, or use --network bridge or a network of your own.'}`,
    );
  };
  if (publishes(hostConfig)) refuse('A published port (--publish, --publish-all)');
  if (Links.length > 0) refuse('A link (--link)');
  if (MacAddress !== '') refuse('A MAC address (--mac-address)');
}

function publishes({ PublishAllPorts, PortBindings }: HostConfig): boolean {
  return PublishAllPorts || Object.values(PortBindings).some((bindings) => bindings.length > 0);
}

/** What Docker says of published ports that have no effect, since the container's ports are the host's; undefined if they have. */
export function discardedPorts(hostConfig: HostConfig): string | undefined {
  if (hostConfig.NetworkMode !== 'host' || !publishes(hostConfig)) return undefined;
  return 'Published ports are discarded when using host network mode';
}
