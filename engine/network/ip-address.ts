/** Addresses and subnets of IPv4 and IPv6 as text, as bytes and as numbers. RFC 4291, RFC 4632, RFC 5952. */

import net from 'node:net';

export type Family = 4 | 6;

/** Addresses with the same first `prefix` bits. */
export interface Cidr {
  family: Family;
  /** The address as it was written: in a subnet, its first one; in an address with a prefix, that address. */
  address: bigint;
  /** 0 to 32 or 128. */
  prefix: number;
}

/** A text is malformed as an address or a subnet. */
export class BadAddress extends Error {
  override readonly name = 'BadAddress';
}

export function bitsOf(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** @throws BadAddress unless `text` is an address without zone and prefix */
export function parseAddress(text: string): { family: Family; value: bigint } {
  const family = net.isIP(text);
  if ((family !== 4 && family !== 6) || text.includes('%'))
    throw new BadAddress(`${JSON.stringify(text.slice(0, 100))} is not an IP address such as 172.17.0.2 or fd00::2.`);
  return { family, value: family === 4 ? parseV4(text) : parseV6(text) };
}

function parseV4(text: string): bigint {
  return text.split('.').reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function parseV6(text: string): bigint {
  // The last 32 bits may be written as IPv4.
  const dotted = /^(.*:)([0-9.]+)$/.exec(text);
  if (dotted?.[2]?.includes('.')) {
    const last = parseV4(dotted[2]);
    return parseV6(`${dotted[1]}${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}`);
  }
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

/** As RFC 5952 wants it: lower case, the longest run of zeros shortened. */
export function formatAddress(family: Family, value: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  let [best, bestLength] = [-1, 1];
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > bestLength) [best, bestLength] = [start, length];
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  return best < 0 ? hex(groups) : `${hex(groups.slice(0, best))}::${hex(groups.slice(best + bestLength))}`;
}

/** @throws BadAddress unless `text` is an address, a slash and a number of bits */
export function parseCidr(text: string): Cidr {
  const [, address, bits] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (address === undefined)
    throw new BadAddress(`${JSON.stringify(text.slice(0, 100))} is not a subnet such as 172.20.0.0/16 or fd00::/64.`);
  const { family, value } = parseAddress(address);
  const prefix = Number(bits);
  if (prefix > bitsOf(family)) throw new BadAddress(`${text}: IPv${family} has at most ${bitsOf(family)} bits.`);
  return { family, address: value, prefix };
}

export function formatCidr({ family, address, prefix }: Cidr): string {
  return `${formatAddress(family, address)}/${prefix}`;
}

/** How many addresses a subnet holds. */
export function sizeOf({ family, prefix }: Cidr): bigint {
  return 1n << BigInt(bitsOf(family) - prefix);
}

/** The subnet that an address with a prefix lies in. */
export function networkOf(cidr: Cidr): Cidr {
  return { ...cidr, address: cidr.address - (cidr.address % sizeOf(cidr)) };
}

export function lastOf(cidr: Cidr): bigint {
  return networkOf(cidr).address + sizeOf(cidr) - 1n;
}

export function overlap(one: Cidr, other: Cidr): boolean {
  return (
    one.family === other.family && networkOf(one).address <= lastOf(other) && networkOf(other).address <= lastOf(one)
  );
}

export function contains(subnet: Cidr, family: Family, value: bigint): boolean {
  return subnet.family === family && networkOf(subnet).address <= value && value <= lastOf(subnet);
}

/** 4 or 16 bytes in the order of the network. */
export function toBytes(family: Family, value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(bitsOf(family) / 4, '0'), 'hex');
}

/** @throws BadAddress unless they are 4 or 16 */
export function fromBytes(bytes: Buffer): { family: Family; value: bigint } {
  if (bytes.length !== 4 && bytes.length !== 16) throw new BadAddress(`An address has ${bytes.length} bytes.`);
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${bytes.toString('hex')}`) };
}
