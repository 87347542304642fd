/** Subnets for networks that ask for none in particular. */

import { NETLINK_ROUTE } from '#kernel/netlink';
import { type Cidr, formatCidr, networkOf, overlap, parseCidr, sizeOf } from './ip-address.ts';
import { listAddresses } from './netlink/address.ts';
import { listRoutes } from './netlink/route.ts';
import { withNetlink } from './netlink/socket.ts';

/** As dockerd's --default-address-pool: subnets with `size` bits, one behind the other in `base`. */
export interface AddressRange {
  base: Cidr;
  size: number;
}

/** Docker's own, in its order. */
export const defaultRanges: readonly AddressRange[] = [
  ...['172.17.0.0/16', '172.18.0.0/16', '172.19.0.0/16', '172.20.0.0/14', '172.24.0.0/14', '172.28.0.0/14'].map(
    (base) => ({ base: parseCidr(base), size: 16 }),
  ),
  { base: parseCidr('192.168.0.0/16'), size: 20 },
];

/** A subnet cannot be had. */
export class SubnetError extends Error {
  override readonly name = 'SubnetError';
}

/**
 * The first subnet of `ranges` that overlaps with nothing in `taken`.
 * @throws SubnetError if none is left
 */
export function freeSubnet(ranges: readonly AddressRange[], taken: readonly Cidr[], family: 4 | 6 = 4): Cidr {
  const own = ranges.filter(({ base }) => base.family === family);
  for (const { base, size } of own) {
    const end = networkOf(base).address + sizeOf(base);
    let subnet: Cidr = { family, address: networkOf(base).address, prefix: size };
    while (subnet.address < end) {
      const other = taken.find((cidr) => overlap(cidr, subnet));
      if (other === undefined) return subnet;
      // What lies in the way may be larger than a subnet: go on behind it.
      const step = sizeOf(subnet);
      const behind = networkOf(other).address + sizeOf(other);
      subnet = { ...subnet, address: subnet.address + ((behind - subnet.address + step - 1n) / step) * step };
    }
  }
  const all = own.map(({ base, size }) => `${formatCidr(base)} in /${size}`).join(', ');
  throw new SubnetError(
    `No free IPv${family} subnet is left${all ? ` in ${all}` : ''}. Remove a network, name a subnet with --subnet, or give the daemon --default-address-pool.`,
  );
}

/** What the host reaches otherwise than by its default routes, and its own addresses. Link-local ones repeat on every link. */
export function hostSubnets(): Cidr[] {
  return withNetlink(NETLINK_ROUTE, (socket) => [
    ...listRoutes(socket).filter(
      ({ family, prefix, address }) => prefix > 0 && !isLinkLocal({ family, address, prefix }),
    ),
    ...listAddresses(socket).filter((address) => !isLinkLocal(address)),
  ]);
}

const linkLocal = [parseCidr('fe80::/10'), parseCidr('169.254.0.0/16'), parseCidr('ff00::/8')];

function isLinkLocal(cidr: Cidr): boolean {
  return linkLocal.some((range) => overlap(range, cidr));
}
