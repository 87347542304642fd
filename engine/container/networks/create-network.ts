import * as z from 'zod';
import {
  BadAddress,
  type Cidr,
  contains,
  formatAddress,
  formatCidr,
  lastOf,
  networkOf,
  overlap,
  parseAddress,
  parseCidr,
} from '../../network/ip-address.ts';
import type { Engine } from '../engine.ts';
import { ContainerError } from '../errors.ts';
import { newId } from '../identity.ts';
import { now } from '../time.ts';
import { bridgeOptions } from './bridge-options.ts';
import { emitNetworkEvent } from './members.ts';
import { type IpamConfig, isPredefined, type NetworkRecord } from './network-record.ts';
import { whyNoBridges } from './why-no-bridges.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_. -]*$/;
const MOST_NAME = 255;
/** Addresses that no network of its own can have: this host, loopback, link-local, multicast. RFC 6890, RFC 4291. */
const SPECIAL = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '::/96', 'fe80::/10', 'ff00::/8'].map(
  parseCidr,
);

const string = z
  .string()
  .max(4096)
  .refine((value) => !value.includes('\0'), 'has a NUL character')
  .nullish()
  .transform((value) => value ?? '');
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const map = z
  .record(z.string().max(4096), z.string().max(65_536))
  .nullish()
  .transform((value) => value ?? {});

const Ipam = z
  .object({
    Driver: string,
    Options: map,
    Config: z
      .array(z.object({ Subnet: string, IPRange: string, Gateway: string, AuxiliaryAddresses: map }))
      .max(64)
      .nullish()
      .transform((value) => value ?? []),
  })
  .nullish()
  .transform((value) => value ?? { Driver: '', Options: {}, Config: [] });
type IpamRequest = z.infer<typeof Ipam>;

/** Docker Engine API, "NetworkCreate". */
export const NetworkRequest = z.object({
  Name: string,
  Driver: string,
  Scope: string,
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: z
    .object({ Network: string })
    .nullish()
    .transform((value) => value ?? { Network: '' }),
  EnableIPv4: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
  EnableIPv6: flag,
  IPAM: Ipam,
  Options: map,
  Labels: map,
});
export type NetworkRequest = z.infer<typeof NetworkRequest>;

/**
 * Make a network and its bridge; all of it, or nothing.
 * @throws ContainerError in Docker's words · NetworkError of the host
 */
export async function createNetwork(engine: Engine, request: NetworkRequest): Promise<NetworkRecord> {
  const why = engine.refusal ?? whyNoBridges();
  if (why !== null) throw new ContainerError('unsupported', why);
  refuse(request);
  const { networks } = engine;
  const { Name: name } = request;
  if (isPredefined(name))
    throw new ContainerError('forbidden', `operation is not permitted on predefined ${name} network`);
  if (name.length > MOST_NAME || !NAME.test(name) || name.endsWith(' '))
    throw new ContainerError(
      'invalid',
      `invalid network name ${JSON.stringify(name.slice(0, 80))}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  if (networks.table.named(name)) throw new ContainerError('conflict', `network with name ${name} already exists`);
  const record: NetworkRecord = {
    version: 1,
    id: newId(),
    name,
    created: now(),
    driver: 'bridge',
    internal: request.Internal,
    attachable: request.Attachable,
    ipv4: request.EnableIPv4,
    ipv6: request.EnableIPv6,
    ipam: [],
    ownSubnets: request.IPAM.Config.some(({ Subnet }) => Subnet !== ''),
    options: request.Options,
    ipamOptions: request.IPAM.Options,
    labels: request.Labels,
  };
  const { name: link } = bridgeOptions(record, networks.settings);
  if (
    link !== '' &&
    networks.table.all().some((other) => other.driver === 'bridge' && networks.bridgeOf(other).bridge === link)
  )
    throw new ContainerError('conflict', `cannot create network ${name}: another network has the bridge name ${link}`);
  record.ipam = chooseSubnets(engine, request);
  networks.table.add(record);
  try {
    networks.addresses.open(record);
    await networks.raise(record);
    await networks.table.save(record);
  } catch (error) {
    await networks.host.drop(networks.bridgeOf(record)).catch(() => {});
    networks.forget(record);
    throw error;
  }
  emitNetworkEvent(engine, record, 'create');
  return record;
}

/** @throws ContainerError for what this engine does not have, by its name */
function refuse(request: NetworkRequest): void {
  const { Driver, Scope, Ingress, ConfigOnly, ConfigFrom, EnableIPv4, EnableIPv6, IPAM } = request;
  const unsupported = (what: string, way: string) => {
    throw new ContainerError('unsupported', `This engine does not have ${what}. ${way}`);
  };
  if (!['', 'bridge', 'default'].includes(Driver))
    unsupported(`the network driver "${Driver.slice(0, 60)}"`, 'It has bridge. Leave --driver out.');
  if (!['', 'local'].includes(Scope)) unsupported(`the scope "${Scope.slice(0, 60)}"`, 'Leave --scope out.');
  if (Ingress) unsupported('ingress networks', 'Leave --ingress out.');
  if (ConfigOnly || ConfigFrom.Network !== '')
    unsupported('networks that are a configuration for others', 'Leave --config-only and --config-from out.');
  if (!['', 'default'].includes(IPAM.Driver))
    unsupported(`the IPAM driver "${IPAM.Driver.slice(0, 60)}"`, 'Leave --ipam-driver out.');
  const [option] = Object.keys(IPAM.Options);
  if (option !== undefined) unsupported(`the IPAM option ${option.slice(0, 60)}`, 'Leave --ipam-opt out.');
  if (!EnableIPv4 && !EnableIPv6)
    throw new ContainerError('invalid', 'IPv4 or IPv6 must be enabled: leave --ipv4=false out, or add --ipv6');
}

/** The request's subnets, checked, and one of the engine's own for a family that it names none for. All are taken then. */
function chooseSubnets(engine: Engine, { EnableIPv4, EnableIPv6, IPAM }: NetworkRequest): IpamConfig[] {
  const { addresses } = engine.networks;
  const asked = checkIpam(IPAM);
  for (const { cidr } of asked) {
    if (cidr.family === 4 && !EnableIPv4)
      throw new ContainerError('invalid', `the subnet ${formatCidr(cidr)} is of IPv4, which is not enabled`);
    if (cidr.family === 6 && !EnableIPv6)
      throw new ContainerError('invalid', `the subnet ${formatCidr(cidr)} is of IPv6: add --ipv6`);
  }
  const taken: string[] = [];
  try {
    for (const { config } of asked) {
      addresses.reserveSubnet(config.subnet);
      taken.push(config.subnet);
    }
    const more = ([4, 6] as const)
      .filter((family) => (family === 4 ? EnableIPv4 : EnableIPv6))
      .filter((family) => !asked.some(({ cidr }) => cidr.family === family))
      .map((family) => {
        const subnet = addresses.chooseSubnet(family);
        taken.push(subnet);
        return { subnet, range: '', gateway: firstOf(parseCidr(subnet)), auxiliary: {} };
      });
    return [...asked.map(({ config }) => config), ...more].sort(
      (a, b) => parseCidr(a.subnet).family - parseCidr(b.subnet).family,
    );
  } catch (error) {
    for (const subnet of taken) addresses.releaseSubnet(subnet);
    throw error;
  }
}

function checkIpam({ Config }: IpamRequest): { cidr: Cidr; config: IpamConfig }[] {
  const checked = Config.filter(
    ({ Subnet, IPRange, Gateway, AuxiliaryAddresses }) =>
      Subnet || IPRange || Gateway || Object.keys(AuxiliaryAddresses).length > 0,
  ).map((config) => {
    try {
      return checkSubnet(config);
    } catch (error) {
      if (error instanceof BadAddress) throw new ContainerError('invalid', `invalid network config: ${error.message}`);
      throw error;
    }
  });
  for (const [index, { cidr }] of checked.entries()) {
    const other = checked.slice(0, index).find((each) => each.cidr.family === cidr.family);
    if (other && overlap(cidr, other.cidr))
      throw new ContainerError('invalid', `the subnets ${formatCidr(other.cidr)} and ${formatCidr(cidr)} overlap`);
    if (other)
      throw new ContainerError(
        'unsupported',
        `This engine does not have several subnets of one family in a network. Leave --subnet ${formatCidr(cidr)} out.`,
      );
  }
  return checked;
}

function checkSubnet({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: IpamRequest['Config'][number]) {
  const invalid = (why: string) => new ContainerError('invalid', `invalid network config: ${why}`);
  if (Subnet === '') throw invalid('a gateway, an IP range or an auxiliary address needs its subnet. Add --subnet.');
  const cidr = parseCidr(Subnet);
  const whole = networkOf(cidr);
  if (whole.address !== cidr.address) throw invalid(`invalid subnet ${Subnet}: it should be ${formatCidr(whole)}`);
  const most = cidr.family === 4 ? 30 : 126;
  if (cidr.prefix > most || cidr.prefix < 8)
    throw invalid(
      `the subnet ${Subnet} must have a prefix of 8 to ${most} bits: a bridge and containers have to fit in`,
    );
  const special = SPECIAL.find((range) => overlap(range, cidr));
  if (special !== undefined)
    throw invalid(
      `the subnet ${Subnet} overlaps with ${formatCidr(special)}, which has a meaning of its own. Choose another --subnet.`,
    );
  const inside = (text: string, what: string) => {
    const { family, value } = parseAddress(text.replace(/\/\d+$/, ''));
    if (!contains(cidr, family, value)) throw invalid(`the ${what} ${text} is not in the subnet ${Subnet}`);
    if (value === cidr.address) throw invalid(`the ${what} ${text} is the address of the subnet itself`);
    if (family === 4 && value === lastOf(cidr))
      throw invalid(`the ${what} ${text} is the broadcast address of the subnet ${Subnet}`);
    return formatAddress(family, value);
  };
  if (IPRange !== '') {
    const range = parseCidr(IPRange);
    if (networkOf(range).address !== range.address)
      throw invalid(`invalid ip-range ${IPRange}: it should be ${formatCidr(networkOf(range))}`);
    if (range.prefix < cidr.prefix || !contains(cidr, range.family, range.address))
      throw invalid(`the IP range ${IPRange} is not in the subnet ${Subnet}`);
  }
  const config: IpamConfig = {
    subnet: formatCidr(cidr),
    range: IPRange,
    gateway: inside(Gateway || firstOf(IPRange === '' ? cidr : parseCidr(IPRange), cidr), 'gateway'),
    auxiliary: Object.fromEntries(
      Object.entries(AuxiliaryAddresses).map(([name, address]) => [name, inside(address, 'auxiliary address')]),
    ),
  };
  return { cidr, config };
}

/** The first address that a host can have: of a range inside of a subnet, its very first one. */
function firstOf(range: Cidr, subnet: Cidr = range): string {
  const first = networkOf(range).address;
  return formatAddress(range.family, first === networkOf(subnet).address ? first + 1n : first);
}
