/** Whether the host is a router, by /proc/sys/net of the calling thread's namespace. */

import fs from 'node:fs';
import { NETLINK_ROUTE } from '#kernel/netlink';
import { NetworkError } from './errors.ts';
import type { HostChanges } from './host-changes.ts';
import { listLinks } from './netlink/link.ts';
import { withNetlink } from './netlink/socket.ts';

const files = { 4: '/proc/sys/net/ipv4/ip_forward', 6: '/proc/sys/net/ipv6/conf/all/forwarding' };
const IPV6_LINKS = '/proc/sys/net/ipv6/conf';

export type Family = 4 | 6;

/** Names of links between which nothing is forwarded, by family. */
export type Outer = Partial<Record<Family, readonly string[]>>;

/**
 * A host that was no router stays none for its neighbours: where forwarding is turned on for containers, the links that the host
 * had until then forward nothing to each other.
 */
export class Forwarding {
  readonly #changes: HostChanges;
  readonly #mayChange: boolean;
  /** For forwarding that is about to be turned on. */
  readonly #planned: Outer = {};

  /** @param mayChange whether the engine may turn forwarding on: dockerd's --ip-forward */
  constructor(changes: HostChanges, mayChange: boolean) {
    this.#changes = changes;
    this.#mayChange = mayChange;
  }

  /** For the rules, which have to be there before `turnOn`. */
  get outer(): Outer {
    return { ...this.#changes.outer, ...this.#planned };
  }

  /** Look at the links of the host before forwarding is turned on. @returns whether `outer` is another one now */
  plan(families: Iterable<Family>): boolean {
    const before = JSON.stringify(this.outer);
    for (const family of families)
      if (this.#mayChange && readSetting(files[family]) === '0') this.#planned[family] = outerLinks();
      else delete this.#planned[family];
    return JSON.stringify(this.outer) !== before;
  }

  /**
   * Turn forwarding on where it is off. @throws NetworkError that says how to turn it on, or how to do without
   */
  turnOn(families: Iterable<Family>): void {
    for (const family of families) {
      const links = this.#planned[family];
      if (links === undefined || readSetting(files[family]) === '1') continue;
      const { outer, acceptRa } = this.#changes;
      const listeners = family === 6 ? linksThatAcceptRouters() : [];
      // Written first: a daemon that is killed in between is followed by one that knows.
      this.#changes.setForwarded({ ...outer, [family]: [...links] }, [...new Set([...acceptRa, ...listeners])]);
      try {
        // A router takes no route from another one, and the kernel drops those that it has, unless it is told so.
        for (const link of listeners) setLinkSetting(6, link, 'accept_ra', '2');
        fs.writeFileSync(files[family], '1');
      } catch (error) {
        this.#changes.setForwarded(outer, acceptRa);
        const key = files[family].slice('/proc/sys/'.length).replaceAll('/', '.');
        throw new NetworkError(
          `Packets of containers are not forwarded: ${key} is 0 and cannot be set (${(error as Error).message}). ` +
            `Set it with "sysctl -w ${key}=1", or use a network made with --internal, --network none or --network host.`,
        );
      }
      delete this.#planned[family];
    }
  }

  /**
   * Turn forwarding off again where this state root turned it on, unless there are links that came later and may need it.
   * @returns whether nothing is left that is forwarded because of us
   */
  turnOff(): boolean {
    const { outer, acceptRa } = this.#changes;
    const families = ([4, 6] as const).filter((family) => outer[family] !== undefined);
    const links = linkNames();
    const isNeeded = (family: Family) => links.some((name) => name !== 'lo' && !outer[family]!.includes(name));
    if (families.some(isNeeded)) return false;
    for (const family of families) fs.writeFileSync(files[family], '0');
    for (const link of acceptRa)
      if (linkSetting(6, link, 'accept_ra') === '2') setLinkSetting(6, link, 'accept_ra', '1');
    if (families.length > 0) this.#changes.setForwarded({}, []);
    return true;
  }
}

function linkNames(): string[] {
  return withNetlink(NETLINK_ROUTE, (socket) => listLinks(socket).map(({ name }) => name));
}

/** Not those of any state root, which have rules of their own. */
function outerLinks(): string[] {
  return withNetlink(NETLINK_ROUTE, (socket) =>
    listLinks(socket)
      .filter(({ name, alias }) => name !== 'lo' && !alias.startsWith('skiff-'))
      .map(({ name }) => name),
  );
}

function linksThatAcceptRouters(): string[] {
  return fs
    .readdirSync(IPV6_LINKS)
    .filter((name) => !['all', 'default', 'lo'].includes(name))
    .filter((name) => linkSetting(6, name, 'accept_ra') === '1');
}

/** Packets from the host's loopback may leave by this link, so that a published port answers at 127.0.0.1. */
export function routeLoopback(link: string): void {
  setLinkSetting(4, link, 'route_localnet', '1');
}

/** A setting of one link. One that the kernel does not have, such as IPv6 that is turned off, is passed over. */
export function setLinkSetting(family: Family, link: string, name: string, value: string): void {
  const before = linkSetting(family, link, name);
  if (before === undefined || before === value) return;
  try {
    fs.writeFileSync(settingFile(family, link, name), value);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new NetworkError(`The setting ${name} of ${link} cannot be made ${value}: ${(error as Error).message}.`);
  }
}

/** Undefined if the kernel does not have it, or the link has gone. */
export function linkSetting(family: Family, link: string, name: string): string | undefined {
  return readSetting(settingFile(family, link, name));
}

function settingFile(family: Family, link: string, name: string): string {
  return `/proc/sys/net/ipv${family}/conf/${link}/${name}`;
}

/** Whether frames between two ports of a bridge go through the rules of forwarding, for IPv4 and IPv6. */
export function bridgesFilter(): boolean {
  return ['iptables', 'ip6tables'].every((kind) => readSetting(`/proc/sys/net/bridge/bridge-nf-call-${kind}`) === '1');
}

function readSetting(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
