/** Who knows whom by name: containers in networks of users' own. Docker keeps the default bridge without names. */

import { close, dupAbove } from '#kernel/descriptors';
import { hostResolvers } from '../../network/resolver/host-resolvers.ts';
import { ContainerNames, type Link, type Member, NetworkNames } from '../../network/resolver/names.ts';
import { Resolver } from '../../network/resolver/resolver.ts';
import type { NameServer } from '../../network/resolver/upstream.ts';
import type { ContainerRecord } from '../record.ts';
import type { EndpointRecord } from './endpoint.ts';
import type { NetworkRecord } from './network-record.ts';
import type { NetworkTable } from './table.ts';

/** What there is for the names of a container that runs. */
interface Served {
  resolver: Resolver;
  /** A descriptor of its network namespace. */
  namespace: number;
}

/** Names of all networks, and a resolver for each container that is in a network with names. */
export class Names {
  readonly #table: NetworkTable;
  /** By the id of the network. */
  readonly #networks = new Map<string, NetworkNames>();
  /** By the id of the connection. */
  readonly #members = new Map<string, Member>();
  /** By the id of the container. */
  readonly #served = new Map<string, Served>();

  constructor(table: NetworkTable) {
    this.#table = table;
  }

  /** An endpoint has been connected. */
  enter({ id, name, config }: ContainerRecord, endpoint: EndpointRecord): void {
    const network = this.#table.get(endpoint.network);
    const { connection } = endpoint;
    if (network === undefined || connection === null || !hasNames(network)) return;
    const member = {
      names: [...new Set([name, ...endpoint.aliases, id.slice(0, 12), config.Hostname].filter(Boolean))],
      addresses: [connection.ipv4, connection.ipv6].filter(Boolean).map((address) => address.replace(/\/.*/, '')),
    };
    const names = this.#networks.get(network.id) ?? new NetworkNames(network.name);
    this.#networks.set(network.id, names);
    names.add(member);
    this.#members.set(connection.id, member);
  }

  /** An endpoint is about to lose its connection. Nothing happens to one that has none. */
  leave({ network, connection }: EndpointRecord): void {
    const member = connection && this.#members.get(connection.id);
    if (!member) return;
    this.#members.delete(connection.id);
    const names = this.#networks.get(network);
    names?.remove(member);
    if (names?.isEmpty) this.#networks.delete(network);
  }

  /** A container has another name from now on, and its old one is free. */
  rename(record: ContainerRecord): void {
    for (const endpoint of record.endpoints) {
      this.leave(endpoint);
      this.enter(record, endpoint);
    }
  }

  /** Whether the container of that id is to ask at 127.0.0.11. */
  serves(id: string): boolean {
    return this.#served.has(id);
  }

  /**
   * Answer a container's questions, unless that is done already or none of its networks has names.
   * @param namespace a descriptor of its network namespace, of which a copy is kept.
   * @throws KernelError as `Resolver.serve` does
   */
  serve(record: ContainerRecord, namespace: number): void {
    const { id } = record;
    if (this.#served.has(id) || !this.#networksOf(record).some(hasNames)) return;
    const own = dupAbove(namespace, 3);
    const resolver = new Resolver(
      new ContainerNames(
        () => this.#networksOf(record).flatMap((network) => this.#networks.get(network.id) ?? []),
        () => linksOf(record),
      ),
      () => this.#serversOf(record, own),
    );
    try {
      resolver.serve(own);
    } catch (error) {
      close(own);
      throw error;
    }
    this.#served.set(id, { resolver, namespace: own });
  }

  /** A container has ended. Nothing happens if nothing was served. */
  stop({ id }: ContainerRecord): void {
    const served = this.#served.get(id);
    if (!served) return;
    this.#served.delete(id);
    served.resolver.close();
    close(served.namespace);
  }

  /** The daemon ends. */
  close(): void {
    for (const { resolver, namespace } of this.#served.values()) {
      resolver.close();
      close(namespace);
    }
    this.#served.clear();
  }

  /** Those it is connected to, in the order of its links. */
  #networksOf({ endpoints }: ContainerRecord): NetworkRecord[] {
    return endpoints.flatMap(({ network, connection }) => (connection && this.#table.get(network)) || []);
  }

  /** Nobody is asked for a container that is in internal networks alone. */
  #serversOf(record: ContainerRecord, namespace: number): NameServer[] {
    if (this.#networksOf(record).every(({ internal }) => internal)) return [];
    const { Dns } = record.hostConfig;
    // Servers that the user has named are those of the container's networks; the host's may be on its loopback.
    return Dns.length > 0
      ? Dns.map((address) => ({ address, namespace }))
      : hostResolvers().map((address) => ({ address }));
  }
}

/** Whether containers in it know each other by name. */
function hasNames({ driver, name }: NetworkRecord): boolean {
  return name !== 'bridge' && driver === 'bridge';
}

/** What `--link NAME:ALIAS` gave it. */
function linksOf({ endpoints }: ContainerRecord): Link[] {
  return endpoints.flatMap(({ links, connection }) =>
    connection === null
      ? []
      : links.map((link) => {
          const [name = '', alias = name] = link.split(':');
          return { alias, name };
        }),
  );
}
