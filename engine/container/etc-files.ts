import fs from 'node:fs';
import net from 'node:net';
import { RESOLVER_ADDRESS } from '../network/resolver/resolver.ts';
import { SLIRP } from '../network/user-mode.ts';
import type { Mount } from '../runtime/spec.ts';
import type { ContainerConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { ContainerError } from './errors.ts';
import { sharesNetworkOf } from './network.ts';
import type { Connection } from './networks/endpoint.ts';
import { linkedHosts } from './networks/links.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerPaths } from './root.ts';

/** In place of an address: that of the host, as the container reaches it. */
const HOST_GATEWAY = 'host-gateway';

const HOSTS = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** Write the files of /etc that are not the image's but the container's. hosts(5), resolv.conf(5). */
export function writeEtcFiles(engine: Engine, record: ContainerRecord, paths: ContainerPaths): void {
  if (sharesNetworkOf(record.hostConfig.NetworkMode) !== undefined) return;
  fs.writeFileSync(paths.hostname, `${record.config.Hostname}\n`, { mode: 0o644 });
  fs.writeFileSync(paths.hosts, hosts(engine, record), { mode: 0o644 });
  fs.writeFileSync(paths.resolvConf, resolvConf(engine, record), { mode: 0o644 });
}

/** Their mounts, less those the user mounts something over. As the rest of /etc they can be read only with --read-only. */
export function etcMounts(record: ContainerRecord, paths: ContainerPaths): Mount[] {
  const access = record.hostConfig.ReadonlyRootfs ? 'ro' : 'rw';
  const files = { '/etc/resolv.conf': paths.resolvConf, '/etc/hostname': paths.hostname, '/etc/hosts': paths.hosts };
  return Object.entries(files)
    .filter(([destination]) => !record.mounts.some((mount) => mount.destination === destination))
    .map(([destination, source]) => ({ destination, type: 'bind', source, options: ['bind', access] }));
}

/** Check what `--add-host` gave: `name:address`. @throws ContainerError `invalid` */
export function checkExtraHosts(extra: string[]): void {
  for (const entry of extra) {
    const [name, address] = splitHost(entry);
    if (!/^[\w.-]+$/.test(name) || (address !== HOST_GATEWAY && !net.isIP(address)))
      throw new ContainerError('invalid', `bad format for add-host: ${JSON.stringify(entry)}`);
  }
}

function splitHost(entry: string): [name: string, address: string] {
  const colon = entry.indexOf(':');
  return [entry.slice(0, Math.max(colon, 0)), entry.slice(colon + 1).replace(/^\[(.*)\]$/, '$1')];
}

function hosts(engine: Engine, record: ContainerRecord): string {
  const { hostConfig, config, endpoints } = record;
  const base = hostConfig.NetworkMode === 'host' ? readHost('/etc/hosts').trimEnd().split('\n') : HOSTS;
  const extra = hostConfig.ExtraHosts.map((entry) => {
    const [name, address] = splitHost(entry);
    return `${address === HOST_GATEWAY ? hostGateway(record) : address}\t${name}`;
  });
  const links = endpoints[0]?.name === 'bridge' ? linkedHosts(engine, hostConfig.Links, record.name) : [];
  const own = endpoints.flatMap(({ connection }) => (connection ? ownHosts(connection, config) : []));
  return `${[...base, ...extra, ...links, ...own].join('\n')}\n`;
}

/** The lines that say what a container is called in a network. */
export function ownHosts({ ipv4, ipv6 }: Connection, { Hostname, Domainname }: ContainerConfig): string[] {
  const names = Domainname === '' ? Hostname : `${Hostname}.${Domainname} ${Hostname}`;
  return [ipv4, ipv6].filter(Boolean).map((address) => `${address.replace(/\/.*/, '')}\t${names}`);
}

/** The bridge that its default route leads to is the host. @throws ContainerError `invalid` without one */
function hostGateway({ hostConfig: { NetworkMode }, endpoints }: ContainerRecord): string {
  if (NetworkMode === 'host') return '127.0.0.1';
  if (NetworkMode === 'slirp4netns') return SLIRP.gateway;
  const connections = endpoints.flatMap(({ connection }) => connection ?? []);
  const address = connections.map(({ gateway, gateway6 }) => gateway || gateway6).find((each) => each !== '');
  if (address !== undefined) return address;
  throw new ContainerError(
    'invalid',
    `--add-host with ${HOST_GATEWAY}: a container with the network ${NetworkMode} does not reach the host. Use --network bridge, or an address.`,
  );
}

/** A container that is in a network with names asks the engine, which knows the servers that the container would ask. */
export function resolvConf(engine: Engine, { id, hostConfig, endpoints }: ContainerRecord): string {
  const { Dns, DnsOptions, DnsSearch, NetworkMode } = hostConfig;
  const isServed = engine.networks.names.serves(id);
  const lines = hostResolvConf(endpoints.length > 0 && !isServed);
  const keep = (keyword: string) => lines.filter((line) => line.startsWith(`${keyword} `));
  // The host's own may listen on its loopback, which is another one in here.
  const nameservers = NetworkMode === 'slirp4netns' ? [`nameserver ${SLIRP.nameserver}`] : keep('nameserver');
  const search = DnsSearch.filter((domain) => domain !== '.');
  const options =
    DnsOptions.length > 0 ? [...DnsOptions] : keep('options').flatMap((line) => line.split(/\s+/).slice(1));
  // A name without a dot is one of the network first; the host may want more dots before it asks.
  if (isServed && !DnsOptions.some((option) => option.startsWith('ndots:'))) options.push('ndots:0');
  return [
    ...(DnsSearch.length > 0 ? (search.length > 0 ? [`search ${search.join(' ')}`] : []) : keep('search')),
    ...(isServed
      ? [`nameserver ${RESOLVER_ADDRESS}`]
      : Dns.length > 0
        ? Dns.map((address) => `nameserver ${address}`)
        : nameservers),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

/**
 * The lines of the host's file. A container with a loopback of its own does not reach a server on the host's; where that is
 * systemd's there is a file with the servers behind it. systemd-resolved.service(8), "/etc/resolv.conf".
 */
function hostResolvConf(apart: boolean): string[] {
  const read = (file: string) => readHost(file).split('\n');
  const lines = read('/etc/resolv.conf');
  const onLoopback = (line: string) => /^nameserver\s+(127\.|::1\s*$)/.test(line);
  if (!apart || !lines.some(onLoopback)) return lines;
  const behind = read('/run/systemd/resolve/resolv.conf');
  return (lines.some((line) => line.startsWith('nameserver') && !onLoopback(line)) ? lines : behind).filter(
    (line) => !onLoopback(line),
  );
}

/** Check what `--dns`, `--dns-search` and `--dns-option` gave, each of which is a word of a line. @throws ContainerError `invalid` */
export function checkDns(addresses: string[], words: string[]): void {
  const wrong = addresses.find((address) => !net.isIP(address)) ?? words.find((word) => !/^[\w.:-]+$/.test(word));
  if (wrong !== undefined) throw new ContainerError('invalid', `bad DNS setting: ${JSON.stringify(wrong)}`);
}

function readHost(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
