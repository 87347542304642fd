/** The part of the host's network that belongs to one state root: its bridges, its cables, its ports, its rules. */

import { NETLINK_ROUTE } from '#kernel/netlink';
import { dropAll, dropBridge, gatewaysOf, raiseBridge } from './bridge.ts';
import { lead, plug, unplug } from './cable.ts';
import type { BridgeNetwork, HostNetwork, HostNetworkOptions, PublishedPort } from './contract/network.ts';
import { NetworkError } from './errors.ts';
import { type Family, Forwarding } from './forwarding.ts';
import { HeldPorts, isLed } from './held-ports.ts';
import { HostChanges } from './host-changes.ts';
import { formatAddress, parseAddress } from './ip-address.ts';
import { listAddresses } from './netlink/address.ts';
import { cutAnsweredBy, cutSentTo, whereTracked } from './netlink/conntrack.ts';
import { findLink, type Link } from './netlink/link.ts';
import { withNetlink } from './netlink/socket.ts';
import { runNft } from './nft.ts';
import { RuleTable } from './rule-table.ts';
import { protocolNumbers } from './rules.ts';
import { TableGuard } from './table-guard.ts';

const ROOT_WORD = /^[a-z0-9-]{1,40}$/;

/** Nothing is changed by this call. @throws RangeError for a malformed `root` */
export function openHostNetwork({
  root,
  ipForward,
  nft,
  directory,
  lookEvery = 0,
  warn = () => {},
}: HostNetworkOptions): HostNetwork {
  if (!ROOT_WORD.test(root)) throw new RangeError(`The word of a state root cannot be ${JSON.stringify(root)}.`);
  const owner = `skiff-${root}`;
  const changes = new HostChanges(directory);
  const forwarding = new Forwarding(changes, ipForward);
  const rules = new RuleTable({
    table: owner,
    run: (commands) => runNft(commands, nft),
    outer: () => forwarding.outer,
  });
  const held = new HeldPorts();
  const guard = new TableGuard(rules, lookEvery, warn);
  return {
    async raise(network) {
      const wasThere = bridgeOf(network) !== undefined;
      raiseBridge(network, owner, changes);
      try {
        const isOther = forwarding.plan(familiesOf(network));
        if (isOther || !rules.has(network)) await rules.setNetwork(network);
        forwarding.turnOn(familiesOf(network));
        guard.begin();
      } catch (error) {
        if (!wasThere) {
          dropBridge(network, owner, changes);
          await rules.removeNetwork(network.id).catch(() => {});
        }
        throw error;
      }
    },

    async drop(network) {
      dropBridge(network, owner, changes);
      await rules.removeNetwork(network.id);
    },

    connect(endpoint, namespace) {
      const { network } = endpoint;
      // Somebody may have removed the bridge under a running network.
      plug(endpoint, bridgeOf(network) ?? raiseBridge(network, owner, changes), namespace, owner);
    },

    lead(endpoint, namespace) {
      lead(endpoint, namespace);
    },

    disconnect(endpoint) {
      unplug(endpoint, warn);
    },

    async publish(network, ports) {
      refuseBad(network, ports);
      const published = held.hold(ports);
      try {
        await rules.addPorts(published);
        whereTracked(() => cutEarlier(published), warn);
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
        whereTracked(() => cutLed(gone), warn);
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
          raiseBridge(network, owner, changes);
          return [];
        } catch (error) {
          return [(error as Error).message];
        }
      });
      const families = networks.flatMap(familiesOf);
      forwarding.plan(families);
      await rules.setAll(networks, kept);
      guard.begin();
      try {
        forwarding.turnOn(families);
      } catch (error) {
        problems.push((error as Error).message);
      }
      if (problems.length > 0) throw new NetworkError(problems.join(' '));
      return lost;
    },

    close() {
      guard.end();
      held.releaseAll();
    },

    async clear() {
      guard.end();
      dropAll(owner, changes);
      if (forwarding.turnOff()) await rules.remove();
      else await rules.setAll([], []);
      held.releaseAll();
    },
  };
}

/** Of packets that the host is to forward. */
function familiesOf(network: BridgeNetwork): Family[] {
  return network.internal ? [] : gatewaysOf(network).map(({ family }) => family);
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
  for (const address of new Set(ports.map(({ containerAddress }) => containerAddress)))
    cutAnsweredBy(address, ({ original, reply }) =>
      led.has(key(original.protocol, original.destinationPort, reply.source, reply.sourcePort)),
    );
}

/** A client of UDP that asked before there was a rule would be kept away from it as long as it goes on asking. */
function cutEarlier(ports: readonly PublishedPort[]): void {
  const meant = ports.filter(({ protocol }) => protocol === 'udp');
  if (meant.length === 0) return;
  const own = new Set(
    withNetlink(NETLINK_ROUTE, listAddresses).map(({ family, address }) => formatAddress(family, address)),
  );
  for (const family of [4, 6] as const) {
    const numbers = new Set(
      meant.filter((port) => parseAddress(port.hostAddress).family === family).map(({ hostPort }) => hostPort),
    );
    if (numbers.size > 0)
      cutSentTo(
        family,
        protocolNumbers.udp,
        numbers,
        ({ original }) => own.has(original.destination) || original.destination.startsWith('127.'),
      );
  }
}
