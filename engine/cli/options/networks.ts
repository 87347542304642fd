import { CliError, UsageError } from '../errors.ts';
import type { CreateBody } from './create-body.ts';
import { labels } from './environment.ts';

/** What the options of `run` and `create` say of networks. */
export interface NetworkOptions {
  network?: string[];
  net?: string[];
  networkAlias?: string[];
  ip?: string;
  ip6?: string;
  macAddress?: string;
}

/** One `--network`: a name, or fields in CSV of which one is `name`. */
interface Attachment {
  name: string;
  aliases: string[];
  ip?: string;
  ip6?: string;
  mac?: string;
  linkLocal: string[];
  driverOptions: string[];
  priority?: number;
}

/** Put the networks into the request. What `--ip`, `--network-alias` and the like say is about the first. @throws UsageError */
export function joinNetworks(body: CreateBody, options: NetworkOptions): void {
  const attachments = [...(options.network ?? []), ...(options.net ?? [])].map(parseAttachment);
  const names = attachments.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new CliError(`network "${twice}" is specified multiple times`, 125);
  const [first = newAttachment('default'), ...rest] = attachments;
  addPlainOptions(first, options);
  if (attachments.length > 0) body.HostConfig.NetworkMode = first.name;
  const all = [first, ...rest].map((each) => [each.name, endpointOf(each)] as const);
  // In a network of one's own a link is a name that this container alone has for the other.
  if (body.HostConfig.Links && isOwn(first.name)) Object.assign(all[0]![1], { Links: body.HostConfig.Links });
  if (attachments.length > 1 || Object.keys(all[0]?.[1] ?? {}).length > 0)
    body.NetworkingConfig = { EndpointsConfig: Object.fromEntries(all) };
}

function isOwn(name: string): boolean {
  return !['default', 'bridge', 'host', 'none'].includes(name) && !name.startsWith('container:');
}

function newAttachment(name: string): Attachment {
  return { name, aliases: [], linkLocal: [], driverOptions: [] };
}

function addPlainOptions(first: Attachment, { networkAlias = [], ip, ip6, macAddress }: NetworkOptions): void {
  const conflicts: [option: string, here: unknown, there: unknown][] = [
    ['--network-alias', networkAlias.length > 0, first.aliases.length > 0],
    ['--ip', ip, first.ip],
    ['--ip6', ip6, first.ip6],
    ['--mac-address', macAddress, first.mac],
  ];
  for (const [option, here, there] of conflicts)
    if (here && there)
      throw new CliError(`conflicting options: cannot specify both ${option} and the same in --network`, 125);
  first.aliases.push(...networkAlias);
  if (ip !== undefined) first.ip = ip;
  if (ip6 !== undefined) first.ip6 = ip6;
  if (macAddress !== undefined) first.mac = macAddress;
}

function parseAttachment(text: string): Attachment {
  if (!text.includes('=')) return newAttachment(text);
  const attachment = newAttachment('');
  for (const field of text.split(',')) {
    const at = field.indexOf('=');
    const [name, value] = [field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim()];
    if (at < 0) throw wrong(text, `field "${field}" is not KEY=VALUE`);
    if (name === 'name') attachment.name = value;
    else if (name === 'alias') attachment.aliases.push(value);
    else if (name === 'ip') attachment.ip = value;
    else if (name === 'ip6') attachment.ip6 = value;
    else if (name === 'mac-address') attachment.mac = value;
    else if (name === 'link-local-ip') attachment.linkLocal.push(value);
    else if (name === 'driver-opt') attachment.driverOptions.push(value);
    else if (name === 'gw-priority' && /^-?\d+$/.test(value)) attachment.priority = Number(value);
    else throw wrong(text, `invalid field "${field}"`);
  }
  if (attachment.name === '') throw wrong(text, 'network name/id is not specified');
  return attachment;
}

function wrong(text: string, why: string): UsageError {
  return new UsageError(`invalid argument "${text}" for "--network" flag: ${why}`);
}

function endpointOf({
  aliases,
  ip,
  ip6,
  mac,
  linkLocal,
  driverOptions,
  priority,
}: Attachment): Record<string, unknown> {
  const ipam = {
    ...(ip !== undefined && { IPv4Address: ip }),
    ...(ip6 !== undefined && { IPv6Address: ip6 }),
    ...(linkLocal.length > 0 && { LinkLocalIPs: linkLocal }),
  };
  return {
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(Object.keys(ipam).length > 0 && { IPAMConfig: ipam }),
    ...(mac !== undefined && { MacAddress: mac }),
    ...(driverOptions.length > 0 && { DriverOpts: labels([], driverOptions) }),
    ...(priority !== undefined && { GwPriority: priority }),
  };
}
