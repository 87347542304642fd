/**
 * Packets of SCTP by hand: a kernel without its sockets still translates them. RFC 9260. The checksum is CRC-32C, which
 * changes with a port.
 */

import { libcFunction, systemCall } from '#kernel/libc';
import { parseAddress, toBytes } from '../ip-address.ts';
import { inNamespace } from '../namespace.ts';

const socketCall = systemCall('int socket(int, int, int)');
const sendtoCall = systemCall('long sendto(int, const void *, size_t, int, const void *, uint32_t)');
const recvCall = libcFunction('long recv(int, void *, size_t, int)');
const setsockoptCall = systemCall('int setsockopt(int, int, int, const void *, uint32_t)');

const AF_INET = 2;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const IPPROTO_SCTP = 132;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const HEADER_BYTES = 12;

export const INIT = 1;
export const INIT_ACK = 2;

export interface SctpPacket {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  chunk: number;
  isSound: boolean;
}

/** A socket in `namespace` that sees every packet of SCTP. The test's process closes it at its end. */
export function openSctp(namespace: number): number {
  return inNamespace(namespace, () => {
    const socket = socketCall('sctp', AF_INET, SOCK_RAW_CLOEXEC, IPPROTO_SCTP);
    const patience = Buffer.alloc(16); // struct timeval
    patience.writeBigInt64LE(2n, 0);
    setsockoptCall('SO_RCVTIMEO', socket, SOL_SOCKET, SO_RCVTIMEO, patience, patience.length);
    return socket;
  });
}

/** Send the first packet of an association, or the answer to it. */
export function sendSctp(socket: number, to: string, sourcePort: number, port: number, chunk: number): void {
  const packet = Buffer.alloc(HEADER_BYTES + 20);
  packet.writeUInt16BE(sourcePort, 0);
  packet.writeUInt16BE(port, 2);
  packet.writeUInt32BE(chunk === INIT ? 0 : 7, 4); // the verification tag, which the first packet asks for
  packet.writeUInt8(chunk, HEADER_BYTES);
  packet.writeUInt16BE(20, HEADER_BYTES + 2);
  packet.writeUInt32BE(7, HEADER_BYTES + 4);
  packet.writeUInt32BE(65536, HEADER_BYTES + 8);
  packet.writeUInt16BE(1, HEADER_BYTES + 12);
  packet.writeUInt16BE(1, HEADER_BYTES + 14);
  packet.writeUInt32LE(crc32c(packet), 8);
  const address = Buffer.alloc(16); // struct sockaddr_in
  address.writeUInt16LE(AF_INET, 0);
  toBytes(4, parseAddress(to).value).copy(address, 4);
  sendtoCall(to, socket, packet, packet.length, 0, address, address.length);
}

/** The next packet with that chunk; null if none comes. */
export function receiveSctp(socket: number, chunk: number): SctpPacket | null {
  const bytes = Buffer.alloc(2048);
  for (;;) {
    const count = recvCall(socket, bytes, bytes.length, 0);
    if (count < 0) return null;
    const packet = bytes.subarray((bytes[0]! & 15) * 4, count);
    if (packet[HEADER_BYTES] !== chunk) continue;
    const whole = Buffer.from(packet);
    whole.writeUInt32LE(0, 8);
    return {
      source: bytes.subarray(12, 16).join('.'),
      destination: bytes.subarray(16, 20).join('.'),
      sourcePort: packet.readUInt16BE(0),
      destinationPort: packet.readUInt16BE(2),
      chunk,
      isSound: crc32c(whole) === packet.readUInt32LE(8),
    };
  }
}

function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
