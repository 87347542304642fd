/** Which addresses are taken: subnets by networks, and addresses of a network by containers. */

import { createHash } from 'node:crypto';
import { AddressError, AddressPool } from '../../network/address-pool.ts';
import { type Cidr, formatCidr, overlap, parseCidr } from '../../network/ip-address.ts';
import { type AddressRange, defaultRanges, freeSubnet, hostSubnets, SubnetError } from '../../network/subnet-pool.ts';
import { ContainerError } from '../errors.ts';
import type { NetworkRecord } from './network-record.ts';
import type { SubnetPoolOption } from './settings.ts';

export class AddressBook {
  readonly #ranges: readonly AddressRange[];
  readonly #subnets = new Map<string, Cidr>();
  /** By network, and then by family. */
  readonly #pools = new Map<string, Map<4 | 6, AddressPool>>();

  /** @param root a directory: every state root has IPv6 subnets of its own. */
  constructor(root: string, options: SubnetPoolOption[]) {
    const own = options.map(({ base, size }) => ({ base: parseCidr(base), size }));
    const four = own.filter(({ base }) => base.family === 4);
    const six = own.filter(({ base }) => base.family === 6);
    this.#ranges = [
      ...(four.length > 0 ? four : defaultRanges),
      ...(six.length > 0 ? six : [{ base: uniqueLocal(root), size: 64 }]),
    ];
  }

  /** A subnet that nobody has: no network here, and no route of the host's. @throws ContainerError */
  chooseSubnet(family: 4 | 6): string {
    try {
      const subnet = freeSubnet(this.#ranges, [...this.#subnets.values(), ...hostSubnets()], family);
      const text = formatCidr(subnet);
      this.#subnets.set(text, subnet);
      return text;
    } catch (error) {
      if (error instanceof SubnetError) throw new ContainerError('invalid', error.message, { cause: error });
      throw error;
    }
  }

  /** Take a subnet that a client chose. @throws ContainerError `forbidden` if it overlaps with another one */
  reserveSubnet(text: string): void {
    const subnet = parseCidr(text);
    const other = [...this.#subnets.values()].find((each) => overlap(each, subnet));
    if (other !== undefined)
      throw new ContainerError(
        'forbidden',
        `invalid pool request: Pool overlaps with other one on this address space: ${text} with ${formatCidr(other)}, which another network has. Choose another --subnet.`,
      );
    const route = this.routeInto(text);
    if (route !== undefined)
      throw new ContainerError(
        'forbidden',
        `invalid pool request: ${text} overlaps with ${route}, which this host reaches already. Choose another --subnet.`,
      );
    this.#subnets.set(text, subnet);
  }

  /** What the host reaches already, or is, that overlaps with a subnet. */
  routeInto(text: string): string | undefined {
    const subnet = parseCidr(text);
    const route = hostSubnets().find((each) => overlap(each, subnet));
    return route && formatCidr(route);
  }

  releaseSubnet(text: string): void {
    this.#subnets.delete(text);
  }

  /**
   * Begin with a network: its subnets, and the addresses that no container gets.
   * @throws BadAddress, AddressError for what is malformed; nothing is taken then
   */
  open(network: NetworkRecord): void {
    const subnets = new Map<string, Cidr>();
    const pools = new Map<4 | 6, AddressPool>();
    for (const { subnet, range, gateway, auxiliary } of network.ipam) {
      const cidr = parseCidr(subnet);
      subnets.set(subnet, cidr);
      const pool = new AddressPool(cidr, range === '' ? cidr : parseCidr(range));
      for (const address of new Set([gateway, ...Object.values(auxiliary)])) if (address !== '') pool.reserve(address);
      pools.set(cidr.family, pool);
    }
    for (const [text, subnet] of subnets) this.#subnets.set(text, subnet);
    this.#pools.set(network.id, pools);
  }

  /** Forget a network: its subnets are free. */
  close(network: NetworkRecord): void {
    this.#pools.delete(network.id);
    for (const { subnet } of network.ipam) this.releaseSubnet(subnet);
  }

  /**
   * Take an address of a network: the one asked for, or the lowest that is free.
   * @returns it with the subnet's prefix; empty if the network has no subnet of that family and none was asked for
   * @throws ContainerError `forbidden` if it is taken, or no address is left
   */
  take(network: NetworkRecord, family: 4 | 6, asked: string): string {
    const pool = this.#pools.get(network.id)?.get(family);
    if (pool === undefined) {
      if (asked === '') return '';
      throw new ContainerError(
        'invalid',
        `the network ${network.name} has no IPv${family} addresses. Leave ${asked} out.`,
      );
    }
    try {
      if (asked === '') return `${pool.allocate()}/${pool.subnet.prefix}`;
      pool.reserve(asked);
      return `${asked}/${pool.subnet.prefix}`;
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      const why = error.reason === 'taken' ? `Address already in use: ${asked}` : error.message;
      throw new ContainerError('forbidden', `${why} (network ${network.name})`, { cause: error });
    }
  }

  /** Take an address that a running container has. */
  retake(networkId: string, address: string): void {
    const [bare = ''] = address.split('/');
    try {
      this.#pools
        .get(networkId)
        ?.get(bare.includes(':') ? 6 : 4)
        ?.reserve(bare);
    } catch {
      // It is reserved already, or of a subnet that the network has no more.
    }
  }

  /** Whether an address, with or without a prefix, is one that a container of this network may have. */
  holds(network: NetworkRecord, family: 4 | 6, address: string): boolean {
    const pool = this.#pools.get(network.id)?.get(family);
    if (pool === undefined) return false;
    return overlap(pool.subnet, parseCidr(`${address}/${family === 4 ? 32 : 128}`));
  }

  /** Give an address back. @param address with its prefix, as `take` returned it; empty for none */
  release(networkId: string, address: string): void {
    const [bare = ''] = address.split('/');
    if (bare !== '')
      this.#pools
        .get(networkId)
        ?.get(bare.includes(':') ? 6 : 4)
        ?.release(bare);
  }
}

/** RFC 4193: 40 bits that are unlikely to be somebody else's. */
function uniqueLocal(root: string): Cidr {
  const [a, b, c] = createHash('sha256').update(`ipv6\0${root}`).digest('hex').match(/.{4}/g) as string[];
  return parseCidr(`fd${a?.slice(0, 2)}:${b}:${c}::/48`);
}
