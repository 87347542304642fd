import { collect, SkiffCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { labels } from '../options/environment.ts';

interface ConnectOptions {
  alias?: string[];
  driverOpt?: string[];
  gwPriority?: string;
  ip?: string;
  ip6?: string;
  link?: string[];
  linkLocalIp?: string[];
  macAddress?: string;
}

export function networkConnectCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('network connect')
    .description('Connect a container to a network')
    .operands('NETWORK CONTAINER', 2)
    .option('--alias <name>', 'Add network-scoped alias for the container', collect)
    .option('--driver-opt <name=value>', 'Driver options for the network', collect)
    .option('--gw-priority <number>', 'The network with the highest has the default route')
    .option('--ip <address>', 'IPv4 address')
    .option('--ip6 <address>', 'IPv6 address')
    .option('--link <container>', 'Add link to another container', collect)
    .option('--link-local-ip <address>', 'Add a link-local address for the container', collect)
    .option('--mac-address <address>', 'MAC address of the link')
    .examples('skiff network connect back web', 'skiff network connect --alias db --ip 10.5.0.7 back web')
    .run(async ([network = '', Container = ''], options: ConnectOptions) => {
      const { alias, driverOpt, gwPriority, ip, ip6, link, linkLocalIp, macAddress } = options;
      const EndpointConfig = {
        IPAMConfig: { IPv4Address: ip ?? '', IPv6Address: ip6 ?? '', LinkLocalIPs: linkLocalIp ?? [] },
        Links: link ?? [],
        Aliases: alias ?? [],
        MacAddress: macAddress ?? '',
        DriverOpts: labels([], driverOpt ?? []),
        GwPriority: Number(gwPriority ?? 0),
      };
      const body = { Container, EndpointConfig };
      await client.text('POST', `/networks/${encodeURIComponent(network)}/connect`, { body });
    });
}

export function networkDisconnectCommand({ client }: Context): SkiffCommand {
  return new SkiffCommand('network disconnect')
    .description('Disconnect a container from a network')
    .operands('NETWORK CONTAINER', 2)
    .option('-f, --force', 'Force the container to disconnect from a network')
    .examples('skiff network disconnect back web')
    .run(async ([network = '', Container = ''], { force }: { force?: boolean }) => {
      const body = { Container, Force: force === true };
      await client.text('POST', `/networks/${encodeURIComponent(network)}/disconnect`, { body });
    });
}
