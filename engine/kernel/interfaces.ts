/** Network interfaces by ioctl. netdevice(7). */

import { close } from './descriptors.ts';
import { systemCall } from './libc.ts';

const socketCall = systemCall('int socket(int, int, int)');
const ioctlCall = systemCall('int ioctl(int, unsigned long, void *)');

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;
export const IFF_UP = 1;

/** The IFF_… flags of an interface of the caller's network namespace. @throws KernelError ENODEV */
export function interfaceFlags(name: string): number {
  return withSocket((socket) => readFlags(socket, name).readInt16LE(IFNAMSIZ));
}

/** What `ip link set NAME up` does. @throws KernelError ENODEV, EPERM */
export function setInterfaceUp(name: string): void {
  withSocket((socket) => {
    const request = readFlags(socket, name);
    request.writeInt16LE(request.readInt16LE(IFNAMSIZ) | IFF_UP, IFNAMSIZ);
    ioctlCall(`SIOCSIFFLAGS ${name}`, socket, SIOCSIFFLAGS, request);
  });
}

function readFlags(socket: number, name: string): Buffer {
  if (Buffer.byteLength(name) >= IFNAMSIZ) throw new RangeError(`An interface's name has at most 15 bytes: ${name}`);
  const request = Buffer.alloc(IFREQ_BYTES); // struct ifreq
  request.write(name, 0);
  ioctlCall(`SIOCGIFFLAGS ${name}`, socket, SIOCGIFFLAGS, request);
  return request;
}

function withSocket<T>(use: (socket: number) => T): T {
  const socket = socketCall('', AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  try {
    return use(socket);
  } finally {
    close(socket);
  }
}
