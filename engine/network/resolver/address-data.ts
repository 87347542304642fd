/** Addresses in DNS: the data of A and AAAA records, and the names below which PTR records stand. RFC 1035, 3596. */

import net from 'node:net';

const V4_SUFFIX = '.in-addr.arpa';
const V6_SUFFIX = '.ip6.arpa';

/** Of IP addresses. */
export type Family = 4 | 6;

/** The 4 or 16 bytes of an address. @param address as net.isIP takes it, without a zone. */
export function addressBytes(address: string): Buffer {
  if (net.isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  // The last 32 bits may be written as an IPv4 address.
  const plain = address.replace(/[\d.]+\.[\d.]+$/, (tail) => {
    const bytes = addressBytes(tail);
    return `${bytes.readUInt16BE(0).toString(16)}:${bytes.readUInt16BE(2).toString(16)}`;
  });
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  const bytes = Buffer.alloc(16);
  for (const [index, group] of groups.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * index);
  return bytes;
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
