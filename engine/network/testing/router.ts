/** A machine that says it is a router of IPv6. RFC 4861, section 4.2. */

import { close } from '#kernel/descriptors';
import { systemCall } from '#kernel/libc';
import { NETLINK_ROUTE } from '#kernel/netlink';
import { parseAddress, toBytes } from '../ip-address.ts';
import { inNamespace } from '../namespace.ts';
import { findLink } from '../netlink/link.ts';
import { withNetlink } from '../netlink/socket.ts';

const socketCall = systemCall('int socket(int, int, int)');
const setsockoptCall = systemCall('int setsockopt(int, int, int, const void *, uint32_t)');
const sendtoCall = systemCall('long sendto(int, const void *, size_t, int, const void *, uint32_t)');

const AF_INET6 = 10;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
const IPV6_MULTICAST_HOPS = 18;
const ROUTER_ADVERTISEMENT = 134;

/** Say to all at `link` of that namespace: send to me what is for elsewhere, for half an hour. */
export function advertiseRouter(namespace: number, link: string): void {
  inNamespace(namespace, () => {
    const { index } = withNetlink(NETLINK_ROUTE, (socket) => findLink(socket, link)!);
    const socket = socketCall('icmpv6', AF_INET6, SOCK_RAW_CLOEXEC, IPPROTO_ICMPV6);
    const hops = Buffer.alloc(4);
    hops.writeInt32LE(255);
    setsockoptCall('hops', socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops, hops.length);
    const packet = Buffer.alloc(16); // the kernel writes the checksum
    packet.writeUInt8(ROUTER_ADVERTISEMENT, 0);
    packet.writeUInt8(64, 4);
    packet.writeUInt16BE(1800, 6);
    const everybody = Buffer.alloc(28); // struct sockaddr_in6
    everybody.writeUInt16LE(AF_INET6, 0);
    toBytes(6, parseAddress('ff02::1').value).copy(everybody, 8);
    everybody.writeUInt32LE(index, 24);
    sendtoCall('router advertisement', socket, packet, packet.length, 0, everybody, everybody.length);
    close(socket);
  });
}
