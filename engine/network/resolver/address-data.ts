/** Addresses in DNS: the data of A and AAAA records, and the names below which PTR records stand. RFC 1035, 3596. */

import net from 'node:net';
import { parseAddress, toBytes } from '../ip-address.ts';

const V4_SUFFIX = '.in-addr.arpa';
const V6_SUFFIX = '.ip6.arpa';

/** The 4 or 16 bytes of an address. @throws BadAddress */
export function addressBytes(address: string): Buffer {
  const { family, value } = parseAddress(address);
  return toBytes(family, value);
}

/** One spelling for each address: its bytes in hexadecimal. */
export function addressKey(address: string): string {
  return addressBytes(address).toString('hex');
}

/** The key of the address that a name in `in-addr.arpa` or `ip6.arpa` stands for; undefined for any other name. */
export function reverseKey(folded: string): string | undefined {
  if (folded.endsWith(V4_SUFFIX)) {
    const address = folded.slice(0, -V4_SUFFIX.length).split('.').reverse().join('.');
    return net.isIPv4(address) ? addressKey(address) : undefined;
  }
  if (folded.endsWith(V6_SUFFIX)) {
    const digits = folded.slice(0, -V6_SUFFIX.length);
    return /^[0-9a-f](\.[0-9a-f]){31}$/.test(digits) ? digits.split('.').reverse().join('') : undefined;
  }
  return undefined;
}
