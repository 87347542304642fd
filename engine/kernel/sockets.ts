/** Unix sockets over which descriptors travel, which node:net cannot do. unix(7). */

import { basename, dirname } from 'node:path';
import { close, O_DIRECTORY, O_PATH, open } from './descriptors.ts';
import { addressOf, systemCall } from './libc.ts';

const socketCall = systemCall('int socket(int, int, int)');
const connectCall = systemCall('int connect(int, const void *, uint32_t)');
const sendmsgCall = systemCall('long sendmsg(int, const void *, int)');

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const SUN_PATH_BYTES = 108;
const CONTROL_BYTES = 24; // CMSG_SPACE of one int
const MESSAGE_HEADER_BYTES = 56; // struct msghdr

/** Connect to the stream socket at `path`. @returns a descriptor, close-on-exec. @throws KernelError ENOENT, ECONNREFUSED */
export function connectUnix(path: string): number {
  // A path is taken of any length: seen from its own directory it is short.
  const directory = open(dirname(path), O_PATH | O_DIRECTORY);
  try {
    const name = `/proc/self/fd/${directory}/${basename(path)}\0`;
    const address = Buffer.alloc(2 + SUN_PATH_BYTES); // struct sockaddr_un
    address.writeUInt16LE(AF_UNIX, 0);
    if (address.write(name, 2, 'utf8') < Buffer.byteLength(name))
      throw new Error(`The name of the socket ${path} is too long; at most 80 bytes can stand after the last slash.`);
    const socket = socketCall('', AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    try {
      connectCall(path, socket, address, address.length);
      return socket;
    } catch (error) {
      close(socket);
      throw error;
    }
  } finally {
    close(directory);
  }
}

/** Send `text`, at least one byte, and with it descriptor `fd`, of which the receiver gets a copy. cmsg(3), SCM_RIGHTS. */
export function sendDescriptor(socket: number, fd: number, text: string): void {
  const bytes = Buffer.from(text);
  const vector = Buffer.alloc(16); // struct iovec
  vector.writeBigUInt64LE(addressOf(bytes), 0);
  vector.writeBigUInt64LE(BigInt(bytes.length), 8);
  const control = Buffer.alloc(CONTROL_BYTES); // struct cmsghdr and its data
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(fd, 16);
  const header = Buffer.alloc(MESSAGE_HEADER_BYTES);
  header.writeBigUInt64LE(addressOf(vector), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(addressOf(control), 32);
  header.writeBigUInt64LE(BigInt(control.length), 40);
  sendmsgCall(`descriptor ${fd}`, socket, header, MSG_NOSIGNAL);
}
