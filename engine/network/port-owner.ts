/** Which program has a port, as far as /proc tells. proc(5), proc_net(5). */

import fs from 'node:fs';
import type { PortProtocol } from './contract/network.ts';
import { fromBytes, parseAddress } from './ip-address.ts';

const TCP_LISTEN = '0A';
const UDP_UNCONNECTED = '07';

/**
 * The program that holds a port against being bound at `address`. @returns its name and pid; null if it cannot be known:
 * the socket belongs to another PID namespace, or to a protocol without a table.
 */
export function portOwner(protocol: PortProtocol, address: string, port: number): { name: string; pid: number } | null {
  const sockets = socketsAt(protocol, address, port);
  return sockets.size === 0 ? null : ownerOf(sockets);
}

function socketsAt(protocol: PortProtocol, address: string, port: number): Set<string> {
  const wanted = parseAddress(address);
  const inodes = new Set<string>();
  if (protocol === 'sctp') return inodes;
  for (const file of [protocol, `${protocol}6`]) {
    const state = protocol === 'tcp' ? TCP_LISTEN : UDP_UNCONNECTED;
    for (const line of readLines(`/proc/thread-self/net/${file}`).slice(1)) {
      const [, local = '', , status, , , , , , inode = '0'] = line.trim().split(/\s+/);
      const [hex = '', ownPort = ''] = local.split(':');
      if (Number.parseInt(ownPort, 16) !== port || status !== state || inode === '0') continue;
      const own = fromBytes(inNetworkOrder(hex));
      // A socket of IPv6 at :: has the port of IPv4 too, unless it says otherwise.
      const isAny = own.value === 0n && (own.family === wanted.family || own.family === 6);
      if (isAny || (own.family === wanted.family && (wanted.value === 0n || own.value === wanted.value)))
        inodes.add(inode);
    }
  }
  return inodes;
}

/** The table has words of 32 bits in the machine's order. */
function inNetworkOrder(hex: string): Buffer {
  const bytes = Buffer.from(hex, 'hex');
  return bytes.length % 4 === 0 ? bytes.swap32() : bytes;
}

function ownerOf(inodes: Set<string>): { name: string; pid: number } | null {
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name)))
    for (const fd of list(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkAt(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined && inodes.has(inode))
        return { name: readLines(`/proc/${pid}/comm`)[0] ?? '', pid: Number(pid) };
    }
  return null;
}

/** Processes end while one looks at them. */
function list(directory: string): string[] {
  return attempt(() => fs.readdirSync(directory)) ?? [];
}

function linkAt(file: string): string {
  return attempt(() => fs.readlinkSync(file)) ?? '';
}

function readLines(file: string): string[] {
  return (
    attempt(() => fs.readFileSync(file, 'utf8'))
      ?.split('\n')
      .filter((line) => line !== '') ?? []
  );
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
