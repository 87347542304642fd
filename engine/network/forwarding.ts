/** The kernel's settings that make a host a router, by /proc/sys/net of the calling thread's namespace. */

import fs from 'node:fs';
import { NetworkError } from './errors.ts';

const IPV4 = '/proc/sys/net/ipv4/ip_forward';
const IPV6 = '/proc/sys/net/ipv6/conf/all/forwarding';

/**
 * Turn forwarding on where it is off. @param mayChange whether the engine may do it
 * @throws NetworkError that says how to turn it on, or how to do without
 */
export function ensureForwarding(family: 4 | 6, mayChange: boolean): void {
  const file = family === 4 ? IPV4 : IPV6;
  const key = file.slice('/proc/sys/'.length).replaceAll('/', '.');
  if (readSetting(file) === '1') return;
  // As with dockerd's --ip-forward=false: the user who says so takes care of it.
  if (!mayChange) return;
  try {
    fs.writeFileSync(file, '1');
  } catch (error) {
    throw new NetworkError(
      `Packets of containers are not forwarded: ${key} is 0 and cannot be set (${(error as Error).message}). ` +
        `Set it with "sysctl -w ${key}=1", or use a network made with --internal, --network none or --network host.`,
    );
  }
}

/** Packets from the host's loopback may leave by this link, so that a published port answers at 127.0.0.1. */
export function routeLoopback(link: string): void {
  setLinkSetting(4, link, 'route_localnet', '1');
}

/** A setting of one link. One that the kernel does not have, such as IPv6 that is turned off, is passed over. */
export function setLinkSetting(family: 4 | 6, link: string, name: string, value: string): void {
  const file = `/proc/sys/net/ipv${family}/conf/${link}/${name}`;
  try {
    if (readSetting(file) !== value) fs.writeFileSync(file, value);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new NetworkError(`The setting ${name} of ${link} cannot be made ${value}: ${(error as Error).message}.`);
  }
}

/** Whether frames between two ports of a bridge go through the rules of forwarding, for IPv4 and IPv6. */
export function bridgesFilter(): boolean {
  return ['iptables', 'ip6tables'].every((kind) => {
    try {
      return readSetting(`/proc/sys/net/bridge/bridge-nf-call-${kind}`) === '1';
    } catch {
      // The module is not there.
      return false;
    }
  });
}

function readSetting(file: string): string {
  return fs.readFileSync(file, 'utf8').trim();
}
