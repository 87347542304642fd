/** Sockets that only hold a port, in the network namespace of the calling thread. ip(7), ipv6(7). */

import { close } from './descriptors.ts';
import { KernelError } from './errors.ts';
import { systemCall } from './libc.ts';

const socketCall = systemCall('int socket(int, int, int)');
const setsockoptCall = systemCall('int setsockopt(int, int, int, const void *, uint32_t)');
const bindCall = systemCall('int bind(int, const void *, uint32_t)');
const getsocknameCall = systemCall('int getsockname(int, void *, void *)');

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

const protocols = {
  tcp: { type: SOCK_STREAM, number: 6 },
  udp: { type: SOCK_DGRAM, number: 17 },
  sctp: { type: SOCK_STREAM, number: 132 },
} as const;

/**
 * A socket bound to a port and never listened on, so that no other program can have it.
 * @param address 4 bytes, or 16 for IPv6 alone. @param port 0 lets the kernel choose.
 * @returns its descriptor, close-on-exec, and the port
 * @throws KernelError EADDRINUSE, EADDRNOTAVAIL, EACCES, EPROTONOSUPPORT
 */
export function holdPort(
  protocol: keyof typeof protocols,
  address: Buffer,
  port: number,
): { fd: number; port: number } {
  const subject = `${protocol} port ${port}`;
  const { type, number } = protocols[protocol];
  const family = address.length === 4 ? AF_INET : AF_INET6;
  const fd = socketCall(subject, family, type | SOCK_CLOEXEC, number);
  try {
    if (family === AF_INET6) setOption(fd, subject, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    const name = socketAddress(family, address, port);
    bindAlone(fd, subject, name, protocol);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(name.length);
    getsocknameCall(subject, fd, name, length);
    return { fd, port: name.readUInt16BE(2) };
  } catch (error) {
    close(fd);
    throw error;
  }
}

/**
 * The kernel remembers of a port whether the first socket that was bound to it had SO_REUSEADDR, and then gives the port to all
 * that have it and do not listen, as another engine does not. So the option is for a port alone that connections of a server that
 * ended a minute ago keep; off again afterwards, nobody else can listen on it. For UDP it would let two have one port.
 */
function bindAlone(fd: number, subject: string, name: Buffer, protocol: keyof typeof protocols): void {
  try {
    bindCall(subject, fd, name, name.length);
  } catch (error) {
    if (protocol === 'udp' || !(error instanceof KernelError) || error.code !== 'EADDRINUSE') throw error;
    setOption(fd, subject, SOL_SOCKET, SO_REUSEADDR, 1);
    bindCall(subject, fd, name, name.length);
    setOption(fd, subject, SOL_SOCKET, SO_REUSEADDR, 0);
  }
}

/**
 * To be called before a held socket of TCP listens: what it accepts inherits the option, and would keep the port from others
 * for a minute after it was closed. A socket that listens keeps others away by itself.
 */
export function releaseWithConnections(fd: number): void {
  setOption(fd, 'SO_REUSEADDR', SOL_SOCKET, SO_REUSEADDR, 1);
}

function setOption(fd: number, subject: string, level: number, option: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  setsockoptCall(subject, fd, level, option, bytes, bytes.length);
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(family: number, address: Buffer, port: number): Buffer {
  const bytes = Buffer.alloc(family === AF_INET ? 16 : 28);
  bytes.writeUInt16LE(family, 0);
  bytes.writeUInt16BE(port, 2);
  address.copy(bytes, family === AF_INET ? 4 : 8);
  return bytes;
}
