import { BlockList, isIPv6 } from 'node:net';
import { NetworkCreatedSchema } from '../api-types.ts';
import { collect, SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, UsageError } from '../errors.ts';
import { labels } from '../options/environment.ts';
import { complain, say } from '../output.ts';

interface CreateOptions {
  attachable?: boolean;
  auxAddress?: string[];
  driver?: string;
  gateway?: string[];
  internal?: boolean;
  ipRange?: string[];
  ipv4: boolean;
  ipv6?: boolean;
  label?: string[];
  opt?: string[];
  subnet?: string[];
}

export function networkCreateCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('network create')
    .description('Create a network')
    .operands('NETWORK', 1)
    .option('--attachable', 'Enable manual container attachment')
    .option('--aux-address <name=address>', 'An address that no container gets', collect)
    .option('-d, --driver <driver>', 'Driver to manage the network', 'bridge')
    .option('--gateway <address>', 'IPv4 or IPv6 gateway for the subnet', collect)
    .option('--internal', 'Restrict external access to the network')
    .option('--ip-range <subnet>', 'Allocate container addresses from a part of the subnet', collect)
    .option('--no-ipv4', 'Leave IPv4 out')
    .option('--ipv6', 'Enable IPv6 address assignment')
    .option('--label <name=value>', 'Set metadata on a network', collect)
    .option('-o, --opt <name=value>', 'Set driver specific options', collect)
    .option('--subnet <subnet>', 'Subnet in CIDR format that represents a network segment', collect)
    .examples('skiff network create back', 'skiff network create --subnet 10.5.0.0/24 --gateway 10.5.0.254 back')
    .run(async ([name = ''], options: CreateOptions) => {
      const body = {
        Name: name,
        Driver: options.driver,
        Internal: options.internal === true,
        Attachable: options.attachable === true,
        EnableIPv4: options.ipv4,
        EnableIPv6: options.ipv6 === true,
        IPAM: { Driver: 'default', Config: ipamConfig(options) },
        Options: labels([], options.opt ?? []),
        Labels: labels([], options.label ?? []),
      };
      const { Id, Warning } = await client.json('POST', '/networks/create', NetworkCreatedSchema, { body });
      if (Warning) complain(`WARNING: ${Warning}`);
      say(Id);
    });
}

interface Config {
  Subnet: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Record<string, string>;
}

/** What belongs to which subnet is told by the addresses, of which each lies in one subnet. As docker has it. */
function ipamConfig({ subnet = [], ipRange = [], gateway = [], auxAddress = [] }: CreateOptions): Config[] {
  const configs = subnet.map((Subnet): Config => ({ Subnet }));
  if (configs.length === 0 && ipRange.length + gateway.length + auxAddress.length > 0)
    throw new CliError('every ip-range, gateway and aux-address must have a corresponding subnet');
  const of = (address: string, option: string): Config => {
    const found = configs.find((config) => contains(config.Subnet, address));
    if (found === undefined) throw new CliError(`no matching subnet for ${option} ${address}`);
    return found;
  };
  for (const each of ipRange) of(each.replace(/\/.*$/, ''), 'range').IPRange = each;
  for (const each of gateway) of(each, 'gateway').Gateway = each;
  for (const each of auxAddress) {
    const [name = '', address = ''] = each.split('=');
    if (name === '' || address === '')
      throw new UsageError(`invalid argument "${each}" for "--aux-address" flag: it must be NAME=ADDRESS`);
    const config = of(address, 'aux-address');
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address };
  }
  return configs;
}

function contains(subnet: string, address: string): boolean {
  const [base = '', prefix = ''] = subnet.split('/');
  const list = new BlockList();
  try {
    const family = isIPv6(base) ? 'ipv6' : 'ipv4';
    list.addSubnet(base, Number(prefix), family);
    return list.check(address, family);
  } catch {
    throw new CliError(`invalid subnet ${subnet}: it must be in CIDR notation, like 10.5.0.0/24`);
  }
}
