/** The part of the host's network that belongs to one state root: its bridges, its cables, its ports, its rules. */

import { NETLINK_ROUTE } from '#kernel/netlink';
import { dropAll, dropBridge, raiseBridge } from './bridge.ts';
import { lead, plug, unplug } from './cable.ts';
import type { BridgeNetwork, HostNetwork, HostNetworkOptions, PublishedPort } from './contract/network.ts';
import { NetworkError } from './errors.ts';
import { HeldPorts, isLed } from './held-ports.ts';
import { formatAddress } from './ip-address.ts';
import { listAddresses } from './netlink/address.ts';
import { removeConnections } from './netlink/conntrack.ts';
import { findLink, type Link } from './netlink/link.ts';
import { withNetlink } from './netlink/socket.ts';
import { runNft } from './nft.ts';
import { RuleTable } from './rule-table.ts';
import { protocolNumbers } from './rules.ts';

const ROOT_WORD = /^[a-z0-9-]{1,40}$/;

/** Nothing is changed by this call. @throws RangeError for a malformed `root` */
export function openHostNetwork({ root, ipForward, nft }: HostNetworkOptions): HostNetwork {
  if (!ROOT_WORD.test(root)) throw new RangeError(`The word of a state root cannot be ${JSON.stringify(root)}.`);
  const owner = `skiff-${root}`;
  const rules = new RuleTable(owner, (commands) => runNft(commands, nft));
  const held = new HeldPorts();
  return {
    async raise(network) {
      const wasThere = bridgeOf(network) !== undefined;
      raiseBridge(network, owner, ipForward);
      try {
        if (!rules.has(network)) await rules.setNetwork(network);
      } catch (error) {
        if (!wasThere) dropBridge(network, owner);
        throw error;
      }
    },

    async drop(network) {
      dropBridge(network, owner);
      await rules.removeNetwork(network.id);
    },

    connect(endpoint, namespace) {
      const { network } = endpoint;
      // Somebody may have removed the bridge under a running network.
      plug(endpoint, bridgeOf(network) ?? raiseBridge(network, owner, ipForward), namespace, owner);
    },

    lead(endpoint, namespace) {
      lead(endpoint, namespace);
    },

    disconnect(endpoint) {
      unplug(endpoint);
    },

    async publish(network, ports) {
      refuseBad(network, ports);
      const published = held.hold(ports);
      try {
        await rules.addPorts(published);
        cutEarlier(published);
        return published;
      } catch (error) {
        held.release(published);
        await rules.removePorts(published).catch(() => {});
        throw error;
      }
    },

    async unpublish(ports) {
      // The rule goes before the socket: a program that takes the port at once is to get its packets.
      const own = new Set(held.all().map(nameOf));
      const gone = ports.filter((port) => own.has(nameOf(port)));
      if (gone.length === 0) return;
      try {
        await rules.removePorts(gone);
        cutLed(gone);
      } finally {
        held.release(gone);
      }
    },

    async takeOver(networks, ports) {
      const lost: { port: PublishedPort; reason: string }[] = [];
      held.releaseAll();
      const kept = ports.flatMap((port) => {
        try {
          return held.hold([port]);
        } catch (error) {
          lost.push({ port, reason: (error as Error).message });
          return [];
        }
      });
      const problems = networks.flatMap((network) => {
        try {
          raiseBridge(network, owner, ipForward);
          return [];
        } catch (error) {
          return [(error as Error).message];
        }
      });
      await rules.setAll(networks, kept);
      if (problems.length > 0) throw new NetworkError(problems.join(' '));
      return lost;
    },

    close() {
      held.releaseAll();
    },

    async clear() {
      dropAll(owner);
      await rules.remove();
      held.releaseAll();
    },
  };
}

function bridgeOf({ bridge }: BridgeNetwork): Link | undefined {
  return withNetlink(NETLINK_ROUTE, (socket) => findLink(socket, bridge));
}

function nameOf({ protocol, hostAddress, hostPort, containerAddress, containerPort }: PublishedPort): string {
  return [protocol, hostAddress, hostPort, containerAddress, containerPort].join(' ');
}

function refuseBad({ internal, bridge }: BridgeNetwork, ports: readonly PublishedPort[]): void {
  if (internal && ports.length > 0)
    throw new NetworkError(`Ports cannot be published from the network on ${bridge}: it is internal.`);
  for (const port of ports)
    if (port.protocol !== 'tcp' && !isLed(port))
      throw new NetworkError(
        `The ${port.protocol} port ${port.hostPort} at ${port.hostAddress} cannot lead to ${port.containerAddress}: only TCP goes from one family of addresses to the other.`,
      );
  for (const { hostPort, lastHostPort = hostPort, containerPort } of ports)
    for (const port of [hostPort, lastHostPort, containerPort])
      if (!Number.isInteger(port) || port < 0 || port > 65535 || containerPort === 0 || lastHostPort < hostPort)
        throw new NetworkError(
          `A port is a number from 1 to 65535, and a range goes upward: ${hostPort}-${lastHostPort}:${containerPort}.`,
        );
}

/** Connections of packets that rules led to the container. */
function cutLed(ports: readonly PublishedPort[]): void {
  const key = (protocol: number, port: number, address: string, containerPort: number) =>
    [protocol, port, address, containerPort].join(' ');
  const led = new Set(
    ports.map((port) => key(protocolNumbers[port.protocol], port.hostPort, port.containerAddress, port.containerPort)),
  );
  removeConnections(({ original, reply }) =>
    led.has(key(original.protocol, original.destinationPort, reply.source, reply.sourcePort)),
  );
}

/** A client of UDP that asked before there was a rule would be kept away from it as long as it goes on asking. */
function cutEarlier(ports: readonly PublishedPort[]): void {
  const meant = new Set(ports.filter(({ protocol }) => protocol === 'udp').map(({ hostPort }) => hostPort));
  if (meant.size === 0) return;
  const own = new Set(
    withNetlink(NETLINK_ROUTE, listAddresses).map(({ family, address }) => formatAddress(family, address)),
  );
  removeConnections(
    ({ original }) =>
      original.protocol === protocolNumbers.udp &&
      meant.has(original.destinationPort) &&
      (own.has(original.destination) || original.destination.startsWith('127.')),
  );
}
