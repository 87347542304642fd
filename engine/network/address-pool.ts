/** The addresses of a subnet, given out one by one and taken back. */

import {
  type Cidr,
  contains,
  formatAddress,
  formatCidr,
  lastOf,
  networkOf,
  parseAddress,
  sizeOf,
} from './ip-address.ts';
import { NumberSet } from './number-set.ts';

/** An address cannot be had. `reason` says which of the three. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
  readonly reason: 'full' | 'taken' | 'outside';

  constructor(reason: 'full' | 'taken' | 'outside', message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Of a subnet of IPv6 this many addresses are given out by themselves: 2^30. Others can be reserved. */
const MOST = 1n << 30n;

export class AddressPool {
  readonly subnet: Cidr;
  readonly #first: bigint;
  readonly #taken: NumberSet;
  /** Reserved ones that do not lie in the range. */
  readonly #outside = new Set<bigint>();

  /**
   * @param range a part of the subnet from which addresses are given out; the whole of it if absent
   * @throws AddressError if the range lies outside of the subnet
   */
  constructor(subnet: Cidr, range: Cidr = subnet) {
    this.subnet = networkOf(subnet);
    const [first, last] = [networkOf(range).address, lastOf(range)];
    if (!contains(subnet, range.family, first) || !contains(subnet, range.family, last))
      throw new AddressError(
        'outside',
        `The range ${formatCidr(range)} is not a part of the subnet ${formatCidr(this.subnet)}.`,
      );
    this.#first = first;
    const count = sizeOf(range);
    this.#taken = new NumberSet(Number(count < MOST ? count : MOST));
    for (const address of unusable(this.subnet)) this.#take(address);
  }

  /** The lowest address that is free; constant time. @throws AddressError if there is no free address */
  allocate(): string {
    const offset = this.#taken.addLowest();
    if (offset === null)
      throw new AddressError(
        'full',
        `The subnet ${formatCidr(this.subnet)} has no free address. Remove a container from it, or use a network with a larger subnet.`,
      );
    return formatAddress(this.subnet.family, this.#first + BigInt(offset));
  }

  /** Take this address. @throws AddressError if it is taken or not of the subnet, BadAddress if it is not an address */
  reserve(address: string): void {
    const { family, value } = parseAddress(address);
    if (!contains(this.subnet, family, value) || unusable(this.subnet).includes(value))
      throw new AddressError(
        'outside',
        `The address ${address} is not one of the subnet ${formatCidr(this.subnet)}'s hosts.`,
      );
    if (!this.#take(value)) throw new AddressError('taken', `The address ${address} is in use already.`);
  }

  /** Give it back; one that is free or unknown stays as it is. */
  release(address: string): void {
    const { family, value } = parseAddress(address);
    if (family !== this.subnet.family || unusable(this.subnet).includes(value)) return;
    const offset = this.#offset(value);
    if (offset === null) this.#outside.delete(value);
    else this.#taken.delete(offset);
  }

  #take(value: bigint): boolean {
    const offset = this.#offset(value);
    if (offset !== null) return this.#taken.add(offset);
    if (this.#outside.has(value)) return false;
    this.#outside.add(value);
    return true;
  }

  #offset(value: bigint): number | null {
    const offset = value - this.#first;
    return offset >= 0n && offset < BigInt(this.#taken.size) ? Number(offset) : null;
  }
}

/** The subnet's own address and, in IPv4, its broadcast address. A subnet of one or two has neither: RFC 3021, RFC 6164. */
function unusable(subnet: Cidr): bigint[] {
  if (sizeOf(subnet) <= 2n) return [];
  return subnet.family === 4 ? [subnet.address, lastOf(subnet)] : [subnet.address];
}
