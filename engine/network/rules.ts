/**
 * What the kernel is to do with packets of our networks, in nft's language: which are let through, which leave with the
 * host's address, and where published ports lead. Everything lies in one table, which is made as a whole; only ports, which
 * come and go with containers, are elements of maps that change by themselves. nft(8).
 */

import type { BridgeNetwork, PublishedPort } from './contract/network.ts';
import type { Outer } from './forwarding.ts';
import { isLed } from './held-ports.ts';
import { formatAddress, formatCidr, networkOf, parseAddress, parseCidr, toBytes } from './ip-address.ts';
import { concatenated, type ElementChange } from './netlink/set-elements.ts';

/** Of IP. */
export const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 };

/** The whole table. Whatever it was before is replaced in the same step, so that no packet finds half of it. */
export function tableRules(
  table: string,
  networks: readonly BridgeNetwork[],
  ports: readonly PublishedPort[],
  outer: Outer,
): string {
  const led = ports.filter(isLed);
  const names = networks.map(({ bridge }) => bridge);
  const open = networks.filter(({ icc }) => icc).map(({ bridge }) => bridge);
  const internal = networks.filter((network) => network.internal).map(({ bridge }) => bridge);
  // A bridge that the host had before may be that of a network now, which leads outside.
  const apart = (links: readonly string[] = []) => links.filter((link) => !names.includes(link));
  return `
table inet ${table}
delete table inet ${table}
table inet ${table} {
  set bridges {
    type ifname
    ${elements(names.map(quoted))}
  }
  set internal {
    type ifname
    ${elements(internal.map(quoted))}
  }
  # Bridges that let their containers speak to each other.
  set open {
    type ifname . ifname
    ${elements(open.map((name) => `${quoted(name)} . ${quoted(name)}`))}
  }
${([4, 6] as const).map((family) => outerSet(family, apart(outer[family]))).join('\n')}
${portMaps.map(({ name, key, data }) => portMap(name, key, data, led)).join('\n')}

  # Neither a container nor a neighbour of the host reaches what is at the host's loopback: the kernel drops such packets
  # after a published port has led them away, and on the bridges not at all, where route_localnet is on.
  chain guard {
    type filter hook prerouting priority raw
    iifname != "lo" ip daddr 127.0.0.0/8 drop
    iifname != "lo" ip saddr 127.0.0.0/8 drop
  }

  chain ports {
    dnat ip to meta l4proto . ip daddr . th dport map @one4
    dnat ip6 to meta l4proto . ip6 daddr . th dport map @one6
    dnat ip to meta l4proto . th dport map @any4
    dnat ip6 to meta l4proto . th dport map @any6
  }
  chain arriving {
    type nat hook prerouting priority dstnat
    fib daddr type local meta l4proto { tcp, udp, sctp } jump ports
  }
  chain made_here {
    type nat hook output priority -100
    # The kernel would not send it to another link; the socket that holds the port carries it.
    ip6 daddr ::1 return
    fib daddr type local meta l4proto { tcp, udp, sctp } jump ports
  }

  chain forwarded {
    type filter hook forward priority filter
    meta nfproto ipv4 iifname @outer4 oifname @outer4 drop
    meta nfproto ipv6 iifname @outer6 oifname @outer6 drop
    ct state established,related accept
    iifname . oifname @open accept
    iifname @internal drop
    oifname @internal drop
    oifname @bridges ct status dnat accept
    oifname @bridges drop
  }

  chain leaving {
    type nat hook postrouting priority srcnat
    # The host's loopback is not known in a container: it answers to the bridge.
    oifname @bridges ip saddr 127.0.0.0/8 masquerade
${networks.flatMap(leavingRules).join('\n')}
  }
}
`;
}

/** What makes a published port in a table that is there. @param isThere false to take it back */
export function portElement(port: PublishedPort, isThere: boolean): ElementChange {
  const { family, value } = parseAddress(port.hostAddress);
  const map = mapOf(port);
  const address = map.isAny ? [] : [toBytes(family, value)];
  const container = parseAddress(port.containerAddress);
  return {
    map: map.name,
    key: concatenated(Buffer.from([protocolNumbers[port.protocol]]), ...address, portBytes(port.hostPort)),
    data: isThere ? concatenated(toBytes(container.family, container.value), portBytes(port.containerPort)) : null,
  };
}

function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return bytes;
}

/** Removes the table; it need not be there. */
export function noTable(table: string): string {
  return `table inet ${table}\ndelete table inet ${table}\n`;
}

/** Links between which the host forwards nothing, since it was no router before us. */
function outerSet(family: 4 | 6, names: readonly string[]): string {
  return `  set outer${family} {
    type ifname
    ${elements(names.map(quoted))}
  }`;
}

function leavingRules({ bridge, subnets, masquerade, internal }: BridgeNetwork): string[] {
  if (internal) return [];
  return subnets.flatMap(({ subnet }) => {
    const cidr = networkOf(parseCidr(subnet));
    const from = `${cidr.family === 4 ? 'ip' : 'ip6'} saddr ${formatCidr(cidr)}`;
    // A container that reaches another one of its network by a published port must get the answer by the same way.
    const back = `    ${from} oifname ${quoted(bridge)} ct status dnat masquerade`;
    return masquerade ? [`    ${from} oifname != ${quoted(bridge)} masquerade`, back] : [back];
  });
}

interface PortMap {
  name: string;
  family: 4 | 6;
  isAny: boolean;
  key: string;
  data: string;
}

const portMaps: PortMap[] = [
  {
    name: 'one4',
    family: 4,
    isAny: false,
    key: 'inet_proto . ipv4_addr . inet_service',
    data: 'ipv4_addr . inet_service',
  },
  {
    name: 'one6',
    family: 6,
    isAny: false,
    key: 'inet_proto . ipv6_addr . inet_service',
    data: 'ipv6_addr . inet_service',
  },
  { name: 'any4', family: 4, isAny: true, key: 'inet_proto . inet_service', data: 'ipv4_addr . inet_service' },
  { name: 'any6', family: 6, isAny: true, key: 'inet_proto . inet_service', data: 'ipv6_addr . inet_service' },
];

function mapOf({ hostAddress }: PublishedPort): PortMap {
  const { family, value } = parseAddress(hostAddress);
  return portMaps.find((map) => map.family === family && map.isAny === (value === 0n))!;
}

function portMap(name: string, key: string, data: string, ports: readonly PublishedPort[]): string {
  const own = ports.filter((port) => mapOf(port).name === name);
  return `  map ${name} {
    type ${key} : ${data}
    ${elements(own.map((port) => `${portKey(port)} : ${target(port)}`))}
  }`;
}

function portKey(port: PublishedPort): string {
  const { family, value } = parseAddress(port.hostAddress);
  const address = mapOf(port).isAny ? [] : [formatAddress(family, value)];
  return [port.protocol, ...address, port.hostPort].join(' . ');
}

function target({ containerAddress, containerPort }: PublishedPort): string {
  const { family, value } = parseAddress(containerAddress);
  return `${formatAddress(family, value)} . ${containerPort}`;
}

function elements(all: string[]): string {
  return all.length === 0 ? '' : `elements = { ${all.join(', ')} }`;
}

/** A link's name can hold almost anything; nft's texts have no way to write a quotation mark. */
function quoted(name: string): string {
  return `"${name}"`;
}
