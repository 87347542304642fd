/** Internet sockets that are made and bound before Node takes them over. ip(7), udp(7), tcp(7). */

import { close } from './descriptors.ts';
import { systemCall } from './libc.ts';

const socketCall = systemCall('int socket(int, int, int)');
const bindCall = systemCall('int bind(int, const void *, uint32_t)');
const setsockoptCall = systemCall('int setsockopt(int, int, int, const void *, uint32_t)');

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

const types = { tcp: SOCK_STREAM, udp: SOCK_DGRAM };
const families = { 4: AF_INET, 6: AF_INET6 };

/**
 * A socket of the calling thread's network namespace, of which it stays a part whatever becomes of the thread.
 * @returns a descriptor, non-blocking and close-on-exec.
 */
export function inetSocket(type: 'tcp' | 'udp', family: 4 | 6): number {
  return socketCall(`${type} over IPv${family}`, families[family], types[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/** The same, bound to an address. @param address four numbers and dots. @throws KernelError EADDRINUSE, EADDRNOTAVAIL */
export function boundSocket(type: 'tcp' | 'udp', address: string, port: number): number {
  const socket = inetSocket(type, 4);
  try {
    const on = Buffer.alloc(4);
    on.writeInt32LE(1);
    // A listener must get its port back while connections of the one before it have not been forgotten.
    if (type === 'tcp') setsockoptCall('SO_REUSEADDR', socket, SOL_SOCKET, SO_REUSEADDR, on, on.length);
    const bytes = Buffer.alloc(16); // struct sockaddr_in
    bytes.writeUInt16LE(AF_INET, 0);
    bytes.writeUInt16BE(port, 2);
    for (const [index, part] of address.split('.').entries()) bytes.writeUInt8(Number(part), 4 + index);
    bindCall(`${address}:${port}/${type}`, socket, bytes, bytes.length);
    return socket;
  } catch (error) {
    close(socket);
    throw error;
  }
}
