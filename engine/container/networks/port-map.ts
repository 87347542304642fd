/** Ports as requests name them: `80/tcp`, and what of the host's is to lead there. Docker Engine API, "PortMap". */

import net from 'node:net';
import type { ContainerConfig, HostConfig } from '../config.ts';
import { ContainerError } from '../errors.ts';

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface ContainerPort {
  port: number;
  protocol: Protocol;
}

/** A port to be published. */
export interface PortRequest extends ContainerPort {
  /** Empty for the address that the network or the daemon has for it. */
  hostAddress: string;
  /** 0 for one that the kernel chooses. */
  hostPort: number;
  /** The last of the range that the host port is taken from. */
  lastHostPort: number;
}

const MOST_PORT = 65_535;

/** Read `80`, `80/tcp`. @throws ContainerError `invalid` */
export function parseContainerPort(text: string): ContainerPort {
  const [number = '', protocol = 'tcp', ...more] = text.split('/');
  const known = PROTOCOLS.find((each) => each === protocol.toLowerCase());
  const port = Number(number);
  if (!/^\d{1,5}$/.test(number) || port < 1 || port > MOST_PORT || more.length > 0)
    throw new ContainerError('invalid', `invalid port specification: "${text.slice(0, 60)}"`);
  if (known === undefined)
    throw new ContainerError('invalid', `invalid proto: ${protocol.slice(0, 60)}. There are ${PROTOCOLS.join(', ')}.`);
  return { port, protocol: known };
}

/** Ports that one container can expose. */
const EXPOSED_MOST = 65_535;

/**
 * The ports of names such as `80/tcp` and `8000-8010/udp`, each of them once.
 * @throws ContainerError `invalid` for one that is malformed, or if they are more than 65,535 with those named twice
 */
export function exposedPorts(names: string[]): ContainerPort[] {
  const ranges = names.map(parseExposed);
  const total = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (total > EXPOSED_MOST)
    throw new ContainerError(
      'invalid',
      `invalid port specification: ${total} ports are exposed, and at most ${EXPOSED_MOST} can be. Expose fewer.`,
    );
  const ports: ContainerPort[] = [];
  // Numbers, for texts of so many ports are what the time would go to.
  const seen = new Set<number>();
  for (const { first, last, protocol } of ranges)
    for (let port = first; port <= last; port++) {
      const key = PROTOCOLS.indexOf(protocol) * (MOST_PORT + 1) + port;
      if (seen.has(key)) continue;
      seen.add(key);
      ports.push({ port, protocol });
    }
  return ports;
}

/** As `exposedPorts`, of a container that an engine has made which did not look at its image's: none if they are malformed. */
export function exposedOf({ ExposedPorts }: Pick<ContainerConfig, 'ExposedPorts'>): ContainerPort[] {
  try {
    return exposedPorts(Object.keys(ExposedPorts));
  } catch {
    return [];
  }
}

/** The first and the last port of `80`, `80/tcp` or `8000-8010/tcp`. */
function parseExposed(text: string): { first: number; last: number; protocol: Protocol } {
  const range = /^(\d{1,5})-(\d{1,5})(\/\w+)?$/.exec(text);
  const [, from = '', to = '', behind = ''] = range ?? [];
  const { port: first, protocol } = parseContainerPort(range === null ? text : `${from}${behind}`);
  const last = range === null ? first : parseContainerPort(`${to}${behind}`).port;
  if (first > last) throw new ContainerError('invalid', `invalid port specification: "${text.slice(0, 60)}"`);
  return { first, last, protocol };
}

export function portName({ port, protocol }: ContainerPort): string {
  return `${port}/${protocol}`;
}

/** All that is to be published, with -P the exposed ports that -p does not name too. @throws ContainerError `invalid` */
export function portRequests(
  { ExposedPorts }: Pick<ContainerConfig, 'ExposedPorts'>,
  { PortBindings, PublishAllPorts }: Pick<HostConfig, 'PortBindings' | 'PublishAllPorts'>,
): PortRequest[] {
  const requests = Object.entries(PortBindings).flatMap(([name, bindings]) => {
    const container = parseContainerPort(name);
    return bindings.map((binding) => ({ ...container, ...parseBinding(name, binding) }));
  });
  if (!PublishAllPorts) return requests;
  const named = new Set(requests.map(portName));
  const rest = [...exposedPorts(Object.keys(ExposedPorts)), ...Object.keys(PortBindings).map(parseContainerPort)]
    .filter((port) => !named.has(portName(port)) && named.add(portName(port)))
    .map((port) => ({ ...port, hostAddress: '', hostPort: 0, lastHostPort: 0 }));
  return [...requests, ...rest];
}

function parseBinding(name: string, { HostIp, HostPort }: { HostIp: string; HostPort: string }) {
  if (HostIp !== '' && !net.isIP(HostIp))
    throw new ContainerError('invalid', `invalid IP address: ${HostIp.slice(0, 60)}, for the port ${name}`);
  const range = /^(\d{0,5})(?:-(\d{1,5}))?$/.exec(HostPort);
  const first = Number(range?.[1] || 0);
  const last = Number(range?.[2] ?? first);
  if (range === null || first > last || last > MOST_PORT || (range[2] !== undefined && first === 0))
    throw new ContainerError('invalid', `invalid published port: "${HostPort.slice(0, 60)}", for the port ${name}`);
  return { hostAddress: HostIp, hostPort: first, lastHostPort: last };
}
