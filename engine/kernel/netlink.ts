/** Netlink sockets: datagrams to the kernel and its answers, in the network namespace of the calling thread. netlink(7). */

import { close } from './descriptors.ts';
import { KernelError } from './errors.ts';
import { errno, libcFunction, systemCall } from './libc.ts';

const socketCall = systemCall('int socket(int, int, int)');
const setsockoptCall = systemCall('int setsockopt(int, int, int, const void *, uint32_t)');
const sendCall = libcFunction('long send(int, const void *, size_t, int)');
const recvfromCall = libcFunction('long recvfrom(int, void *, size_t, int, void *, void *)');

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EINTR = 4;
const EAGAIN = 11;
const ENOBUFS = 105;
const ETIMEDOUT = 110;
const RECEIVE_BYTES = 1 << 20;
/** The kernel answers within the call that asks; this is only for what never comes. */
const PATIENCE_SECONDS = 20n;
/** The kernel fills at most 32 KiB of a dump at once, and an answer that quotes its question is smaller. */
const DATAGRAM_BYTES = 65536;
const SOCKADDR_NL_BYTES = 12;

/** @param protocol NETLINK_ROUTE or another. @returns a descriptor, close-on-exec, whose errors come with the kernel's own words. */
export function openNetlink(protocol: number): number {
  const socket = socketCall(`netlink protocol ${protocol}`, AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
  try {
    const patience = Buffer.alloc(16); // struct timeval
    patience.writeBigInt64LE(PATIENCE_SECONDS, 0);
    setsockoptCall('SO_RCVTIMEO', socket, SOL_SOCKET, SO_RCVTIMEO, patience, patience.length);
    setsockoptCall('SO_RCVBUF', socket, SOL_SOCKET, SO_RCVBUF, int(RECEIVE_BYTES), 4);
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) switchOn(socket, option);
    return socket;
  } catch (error) {
    close(socket);
    throw error;
  }
}

/** The options came with Linux 4.3, 4.12 and 4.20: without them errors have fewer words and dumps more entries. */
function switchOn(socket: number, option: number): void {
  try {
    setsockoptCall(`SOL_NETLINK ${option}`, socket, SOL_NETLINK, option, int(1), 4);
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== 'ENOPROTOOPT') throw error;
  }
}

function int(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}

/** Send one datagram of whole messages to the kernel, which answers it before this returns. */
export function sendNetlink(socket: number, datagram: Buffer): void {
  while (sendCall(socket, datagram, datagram.length, 0) < 0)
    if (errno() !== EINTR) throw new KernelError('send', errno(), 'to netlink');
}

/**
 * The next datagram that the kernel sent; what other processes send is passed over.
 * @throws KernelError ENOBUFS if answers were lost because the socket was full, ETIMEDOUT if none comes in 20 s.
 */
export function receiveNetlink(socket: number): Buffer {
  const datagram = Buffer.allocUnsafe(DATAGRAM_BYTES);
  const sender = Buffer.alloc(SOCKADDR_NL_BYTES);
  for (;;) {
    const count = recvfromCall(socket, datagram, datagram.length, MSG_TRUNC, sender, int(SOCKADDR_NL_BYTES));
    if (count > datagram.length)
      throw new Error(`The kernel sent ${count} bytes by netlink; at most 64 KiB were expected.`);
    if (count >= 0 && sender.readUInt32LE(4) === 0) return datagram.subarray(0, count);
    if (count < 0 && errno() !== EINTR)
      throw new KernelError('recvfrom', errno() === EAGAIN ? ETIMEDOUT : errno(), 'of netlink');
  }
}

/** Throw away what has arrived. Until a socket that was full is empty the kernel drops every answer to it. */
export function drainNetlink(socket: number): void {
  const datagram = Buffer.allocUnsafe(DATAGRAM_BYTES);
  const receive = () => recvfromCall(socket, datagram, datagram.length, MSG_DONTWAIT, null, null);
  while (receive() >= 0 || errno() === EINTR || errno() === ENOBUFS);
}
