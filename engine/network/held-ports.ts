/** Ports of the host's that this process keeps for containers, so that nobody else gets them while rules lead them away. */

import { holdPort } from '#kernel/bound-socket';
import { close } from '#kernel/descriptors';
import { KernelError } from '#kernel/errors';
import type { PublishedPort } from './contract/network.ts';
import { NetworkError, PortTaken } from './errors.ts';
import { parseAddress, toBytes } from './ip-address.ts';
import { portOwner } from './port-owner.ts';
import { Relay } from './relay.ts';

/** The kernel chooses a port for one address, which may be in use at another one. */
const CHOICES = 50;

/** What names a published port: no two have the same. */
export function portName({ protocol, hostAddress, hostPort }: PublishedPort): string {
  return `${protocol} ${hostAddress} ${hostPort}`;
}

interface Held {
  port: PublishedPort;
  /** Undefined for a protocol whose sockets this kernel does not have: then no program of the host's can have one. */
  fd: number | undefined;
  /** It has the descriptor. Absent where rules lead every packet. */
  relay?: Relay;
}

/** Whether a rule can lead packets of that host port to the container: addresses are of one family. */
export function isLed({ hostAddress, containerAddress }: PublishedPort): boolean {
  return parseAddress(hostAddress).family === parseAddress(containerAddress).family;
}

/** Whether connections can come that no rule leads. */
function needsRelay(port: PublishedPort): boolean {
  const { family, value } = parseAddress(port.hostAddress);
  return port.protocol === 'tcp' && (!isLed(port) || (family === 6 && value <= 1n));
}

/** The kernel says no. The owner of the port is looked for after the whole range was tried, because the search goes through all processes. */
class InUse extends Error {
  readonly port: PublishedPort;

  constructor(port: PublishedPort) {
    super('port is already allocated');
    this.port = port;
  }
}

export class HeldPorts {
  readonly #held = new Map<string, Held>();

  /** All or none. @returns them with the ports that were chosen. @throws PortTaken, NetworkError */
  hold(ports: readonly PublishedPort[]): PublishedPort[] {
    const done: PublishedPort[] = [];
    try {
      for (const group of alike(ports)) done.push(...this.#holdGroup(group));
      return done;
    } catch (error) {
      this.release(done);
      throw error;
    }
  }

  /** @returns those that were held */
  release(ports: readonly PublishedPort[]): PublishedPort[] {
    return ports.flatMap((port) => {
      const name = portName(port);
      const held = this.#held.get(name);
      if (held === undefined) return [];
      this.#held.delete(name);
      if (held.relay) held.relay.close();
      else if (held.fd !== undefined) close(held.fd);
      return [held.port];
    });
  }

  releaseAll(): PublishedPort[] {
    return this.release(this.all());
  }

  all(): PublishedPort[] {
    return [...this.#held.values()].map(({ port }) => port);
  }

  /** One number for all of the group: the first that is free at each of its addresses. */
  #holdGroup(group: readonly PublishedPort[]): PublishedPort[] {
    const { hostPort, lastHostPort = hostPort } = group[0]!;
    const candidates =
      hostPort === 0
        ? Array.from({ length: CHOICES }, () => 0)
        : Array.from({ length: lastHostPort - hostPort + 1 }, (_, index) => hostPort + index);
    let first: PortTaken | InUse | undefined;
    for (const candidate of candidates) {
      try {
        return this.#holdAt(group, candidate);
      } catch (error) {
        if (!(error instanceof PortTaken || error instanceof InUse)) throw error;
        first ??= error;
      }
    }
    const problem = first instanceof InUse ? named(first.port) : first!;
    if (candidates.length <= 1 || hostPort === 0) throw problem;
    throw new PortTaken(
      `Bind for ${group[0]!.hostAddress}:${hostPort}-${lastHostPort} failed: all ports are already allocated. The first: ${problem.message}`,
    );
  }

  #holdAt(group: readonly PublishedPort[], candidate: number): PublishedPort[] {
    const done: PublishedPort[] = [];
    try {
      let hostPort = candidate;
      for (const { lastHostPort: _, ...port } of group) {
        const held = this.#holdOne({ ...port, hostPort });
        hostPort = held.hostPort;
        done.push(held);
      }
      return done;
    } catch (error) {
      this.release(done);
      throw error;
    }
  }

  #holdOne(wanted: PublishedPort): PublishedPort {
    const { protocol, hostAddress, hostPort } = wanted;
    this.#refuseOwn(wanted);
    const { family, value } = parseAddress(hostAddress);
    let held: { fd: number | undefined; port: number };
    try {
      held = holdPort(protocol, toBytes(family, value), hostPort);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.code !== 'EPROTONOSUPPORT' || protocol !== 'sctp') throw explained(wanted, error);
      held = { fd: undefined, port: hostPort === 0 ? this.#anySctpPort(wanted) : hostPort };
    }
    const port = { ...wanted, hostPort: held.port };
    const { fd } = held;
    const isRelayed = fd !== undefined && needsRelay(port);
    const relay = isRelayed ? { relay: new Relay(fd, port.containerAddress, port.containerPort) } : {};
    this.#held.set(portName(port), { port, fd, ...relay });
    return port;
  }

  /** Our own sockets say no as well, but they do not know for whom. */
  #refuseOwn(wanted: PublishedPort): void {
    const { protocol, hostPort } = wanted;
    const { family, value } = parseAddress(wanted.hostAddress);
    if (hostPort === 0) return;
    for (const { port } of this.#held.values()) {
      if (port.protocol !== protocol || port.hostPort !== hostPort) continue;
      const other = parseAddress(port.hostAddress);
      if (other.family !== family || (other.value !== value && other.value !== 0n && value !== 0n)) continue;
      throw new PortTaken(
        `${bindFor(wanted)} failed: port is already allocated: it is published for the container at ${port.containerAddress}.`,
      );
    }
  }

  /** From the range that Linux gives out by default, since there is no socket to ask. */
  #anySctpPort({ hostAddress }: PublishedPort): number {
    for (let hostPort = 32768; hostPort <= 60999; hostPort++)
      if (!this.#held.has(portName({ protocol: 'sctp', hostAddress, hostPort } as PublishedPort))) return hostPort;
    throw new PortTaken(`All ports of SCTP at ${hostAddress} are published already.`);
  }
}

/** Neighbours that differ in their addresses only: one `-p` of the user's. */
function alike(ports: readonly PublishedPort[]): PublishedPort[][] {
  const groups: PublishedPort[][] = [];
  const key = (port: PublishedPort) =>
    [port.protocol, port.containerPort, port.hostPort, port.lastHostPort ?? port.hostPort].join(' ');
  for (const port of ports) {
    const last = groups.at(-1);
    const belongs = last && key(last[0]!) === key(port) && !last.some((one) => one.hostAddress === port.hostAddress);
    if (belongs) last.push(port);
    else groups.push([port]);
  }
  return groups;
}

function bindFor({ hostAddress, hostPort }: PublishedPort): string {
  return `Bind for ${hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress}:${hostPort}`;
}

function named(port: PublishedPort): PortTaken {
  const owner = portOwner(port.protocol, port.hostAddress, port.hostPort);
  const who = owner ? `${owner.name} (process ${owner.pid}) has it` : 'a program of the host has it';
  return new PortTaken(
    `${bindFor(port)} failed: port is already allocated: ${who}. Choose another port, or end that program.`,
  );
}

function explained(port: PublishedPort, error: KernelError): Error {
  const { hostAddress } = port;
  switch (error.code) {
    case 'EADDRINUSE':
      return new InUse(port);
    case 'EADDRNOTAVAIL':
      return new NetworkError(`${bindFor(port)} failed: ${hostAddress} is not an address of this host.`);
    case 'EACCES':
      return new NetworkError(
        `${bindFor(port)} failed: permission denied. Choose a port above 1023, or set net.ipv4.ip_unprivileged_port_start.`,
      );
    case 'EAFNOSUPPORT':
      return new NetworkError(`${bindFor(port)} failed: this host has no IPv6.`);
    default:
      return error;
  }
}
