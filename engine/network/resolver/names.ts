/** Which names have which addresses: on a network, and as one container sees the networks that it is in. */

import net from 'node:net';
import type { Family } from '../ip-address.ts';
import { addressKey, reverseKey } from './address-data.ts';
import { foldName } from './domain-name.ts';

/** A container on a network. */
export interface Member {
  /** Its name, aliases and short id; the first one is what its addresses are called. */
  names: string[];
  addresses: string[];
}

/** All members of a network by name and by address. Each operation costs what one member costs, however many there are. */
export class NetworkNames {
  /** What may follow a name, after a dot. */
  readonly network: string;
  readonly #members = new Map<string, Set<Member>>();
  /** Where the next answer for each shared name begins. Clients ask for both families at once, so each has its own turn. */
  readonly #turns = { 4: new Map<string, number>(), 6: new Map<string, number>() };
  readonly #owners = new Map<string, Member>();

  constructor(network: string) {
    this.network = network;
  }

  add(member: Member): void {
    for (const name of new Set(member.names.map(foldName))) {
      const members = this.#members.get(name);
      if (members) members.add(member);
      else this.#members.set(name, new Set([member]));
    }
    for (const address of member.addresses) this.#owners.set(addressKey(address), member);
  }

  /** @param member the same object that was added; nothing happens if it was not. */
  remove(member: Member): void {
    for (const name of member.names.map(foldName)) {
      const members = this.#members.get(name);
      members?.delete(member);
      if (members?.size === 0) {
        this.#members.delete(name);
        this.#turns[4].delete(name);
        this.#turns[6].delete(name);
      }
    }
    for (const key of member.addresses.map(addressKey)) if (this.#owners.get(key) === member) this.#owners.delete(key);
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** The addresses of all members of that name, each time beginning with another member; undefined if it has no member. */
  addressesOf(folded: string, family: Family): string[] | undefined {
    const members = this.#members.get(folded);
    if (!members) return undefined;
    const all = [...members];
    const turn = (this.#turns[family].get(folded) ?? 0) % all.length;
    if (all.length > 1) this.#turns[family].set(folded, turn + 1);
    return [...all.slice(turn), ...all.slice(0, turn)]
      .flatMap(({ addresses }) => addresses)
      .filter((address) => net.isIP(address) === family);
  }

  /** The whole name of the member that has the address with that key. */
  ownerOf(key: string): string | undefined {
    const owner = this.#owners.get(key);
    return owner && `${owner.names[0]}.${this.network}`;
  }
}

/** A name that one container has for another. */
export interface Link {
  alias: string;
  /** By which everybody in the network knows it. */
  name: string;
}

/** What a resolver asks about names. */
export interface NameTable {
  /** The addresses of one family, perhaps none; undefined if the name is not known here. */
  addressesOf(name: string, family: Family): string[] | undefined;
  /** The name for a name of `in-addr.arpa` or `ip6.arpa`; undefined if the address is not known here. */
  reverse(name: string): string | undefined;
}

/** The names that one container can ask for. */
export class ContainerNames implements NameTable {
  readonly #networks: () => Iterable<NetworkNames>;
  readonly #links: () => Iterable<Link>;

  /**
   * @param networks those that the container is in at the time of a question. The first one that knows a name answers.
   * @param links what `--link` gave it.
   */
  constructor(networks: () => Iterable<NetworkNames>, links: () => Iterable<Link> = () => []) {
    this.#networks = networks;
    this.#links = links;
  }

  addressesOf(name: string, family: Family): string[] | undefined {
    const folded = foldName(name);
    const meant = this.#meaningOf(folded);
    for (const names of this.#networks()) {
      const suffix = `.${foldName(names.network)}`;
      const found =
        names.addressesOf(meant, family) ??
        (meant.endsWith(suffix) ? names.addressesOf(meant.slice(0, -suffix.length), family) : undefined);
      if (found) return found;
    }
    return undefined;
  }

  #meaningOf(folded: string): string {
    for (const { alias, name } of this.#links()) if (foldName(alias) === folded) return foldName(name);
    return folded;
  }

  reverse(name: string): string | undefined {
    const key = reverseKey(foldName(name));
    if (key === undefined) return undefined;
    for (const names of this.#networks()) {
      const owner = names.ownerOf(key);
      if (owner !== undefined) return owner;
    }
    return undefined;
  }
}
