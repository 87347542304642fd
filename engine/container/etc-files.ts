import fs from 'node:fs';
import net from 'node:net';
import { SLIRP } from '../network/user-mode.ts';
import type { Mount } from '../runtime/spec.ts';
import { ContainerError } from './errors.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerPaths } from './root.ts';

const HOSTS = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** Write the files of /etc that are not the image's but the container's. hosts(5), resolv.conf(5). */
export function writeEtcFiles(record: ContainerRecord, paths: ContainerPaths): void {
  fs.writeFileSync(paths.hostname, `${record.config.Hostname}\n`, { mode: 0o644 });
  fs.writeFileSync(paths.hosts, hosts(record), { mode: 0o644 });
  fs.writeFileSync(paths.resolvConf, resolvConf(record), { mode: 0o644 });
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
    if (address === 'host-gateway')
      throw new ContainerError('unsupported', 'host-gateway needs a bridge network, which this engine does not have.');
    if (!/^[\w.-]+$/.test(name) || !net.isIP(address))
      throw new ContainerError('invalid', `bad format for add-host: ${JSON.stringify(entry)}`);
  }
}

function splitHost(entry: string): [name: string, address: string] {
  const colon = entry.indexOf(':');
  return [entry.slice(0, Math.max(colon, 0)), entry.slice(colon + 1).replace(/^\[(.*)\]$/, '$1')];
}

function hosts({ hostConfig }: ContainerRecord): string {
  const base = hostConfig.NetworkMode === 'host' ? readHost('/etc/hosts').trimEnd().split('\n') : HOSTS;
  const extra = hostConfig.ExtraHosts.map((entry) => {
    const [name, address] = splitHost(entry);
    return `${address}\t${name}`;
  });
  return `${[...base, ...extra].join('\n')}\n`;
}

function resolvConf({ hostConfig: { Dns, DnsOptions, DnsSearch, NetworkMode } }: ContainerRecord): string {
  const lines = readHost('/etc/resolv.conf').split('\n');
  const keep = (keyword: string) => lines.filter((line) => line.startsWith(`${keyword} `));
  // The host's own may listen on its loopback, which is another one in here.
  const nameservers = NetworkMode === 'slirp4netns' ? [`nameserver ${SLIRP.nameserver}`] : keep('nameserver');
  const search = DnsSearch.filter((domain) => domain !== '.');
  return [
    ...(DnsSearch.length > 0 ? (search.length > 0 ? [`search ${search.join(' ')}`] : []) : keep('search')),
    ...(Dns.length > 0 ? Dns.map((address) => `nameserver ${address}`) : nameservers),
    ...(DnsOptions.length > 0 ? [`options ${DnsOptions.join(' ')}`] : keep('options')),
    '',
  ].join('\n');
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
