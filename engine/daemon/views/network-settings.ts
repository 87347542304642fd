import type { Container } from '../../container/container.ts';
import type { Engine } from '../../container/engine.ts';
import type { EndpointRecord } from '../../container/networks/endpoint.ts';
import { exposedOf, portName } from '../../container/networks/port-map.ts';
import type { ContainerRecord } from '../../container/record.ts';
import { SLIRP } from '../../network/user-mode.ts';

/** Docker's EndpointSettings for each network that a container is in, by the network's name. */
export function networks(engine: Engine, record: ContainerRecord) {
  if (record.hostConfig.NetworkMode.startsWith('container:')) return {};
  if (record.endpoints.length === 0) return { [record.hostConfig.NetworkMode]: withoutBridge(engine, record) };
  return Object.fromEntries(record.endpoints.map((endpoint) => [endpoint.name, endpointView(record, endpoint)]));
}

function endpointView(record: ContainerRecord, endpoint: EndpointRecord) {
  const { ipv4, ipv6, aliases, links, connection } = endpoint;
  const [address = '', prefix = 0] = parts(connection?.ipv4);
  const [address6 = '', prefix6 = 0] = parts(connection?.ipv6);
  return {
    IPAMConfig:
      ipv4 || ipv6
        ? { ...(ipv4 !== '' && { IPv4Address: ipv4 }), ...(ipv6 !== '' && { IPv6Address: ipv6 }) }
        : endpoint.name === 'bridge'
          ? null
          : {},
    Links: links,
    Aliases: aliases,
    MacAddress: connection?.mac ?? endpoint.mac,
    DriverOpts: null,
    GwPriority: endpoint.priority,
    NetworkID: endpoint.network,
    EndpointID: connection?.id ?? '',
    Gateway: connection?.gateway ?? '',
    IPAddress: address,
    IPPrefixLen: Number(prefix),
    IPv6Gateway: connection?.gateway6 ?? '',
    GlobalIPv6Address: address6,
    GlobalIPv6PrefixLen: Number(prefix6),
    DNSNames:
      endpoint.name === 'bridge'
        ? []
        : [...new Set([record.name, ...aliases, record.id.slice(0, 12), record.config.Hostname])],
  };
}

function parts(cidr: string | undefined): string[] {
  return cidr ? cidr.split('/') : [];
}

/** `none` and `host` have no addresses of their own, and pasta gives a container the host's. */
function withoutBridge(engine: Engine, { hostConfig: { NetworkMode }, status }: ContainerRecord) {
  const slirp = NetworkMode === 'slirp4netns' && ['running', 'paused'].includes(status) ? SLIRP : undefined;
  return {
    IPAMConfig: null,
    Links: [],
    Aliases: [],
    MacAddress: '',
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: engine.networks.table.named(NetworkMode)?.id ?? '',
    EndpointID: '',
    Gateway: slirp?.gateway ?? '',
    IPAddress: slirp?.address ?? '',
    IPPrefixLen: slirp?.prefix ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: [],
  };
}

/** Docker's NetworkSettings. The fields beside `Networks` are those of the default bridge, as old clients want them. */
export function networkSettings(engine: Engine, { record, running }: Container) {
  const all = networks(engine, record);
  const bridge = record.endpoints.some(({ name }) => name === 'bridge') ? all.bridge : undefined;
  return {
    Bridge: '',
    SandboxID: running ? record.id : '',
    SandboxKey: running ? `/proc/${record.pid}/ns/net` : '',
    Ports: portsView(record, running),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: bridge?.IPv6Gateway ?? '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks: all,
  };
}

/** Docker's PortMap of a running container in a network of bridges: exposed ports that are not published have null. */
function portsView({ endpoints, published, config }: ContainerRecord, running: boolean) {
  if (!running || endpoints.length === 0) return {};
  const map: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of exposedOf(config)) map[portName(port)] = null;
  for (const { containerPort: port, protocol, hostAddress, hostPort } of published) {
    const name = portName({ port, protocol });
    map[name] = [...(map[name] ?? []), { HostIp: hostAddress, HostPort: String(hostPort) }];
  }
  return map;
}

/** The same as `docker ps` shows it. */
export function portSummaries({ endpoints, published, config }: ContainerRecord, running: boolean) {
  if (!running || endpoints.length === 0) return [];
  const open = new Set(published.map(({ containerPort, protocol }) => portName({ port: containerPort, protocol })));
  return [
    ...published.map(({ protocol, containerPort, hostAddress, hostPort }) => ({
      IP: hostAddress,
      PrivatePort: containerPort,
      PublicPort: hostPort,
      Type: protocol,
    })),
    ...exposedOf(config)
      .filter((port) => !open.has(portName(port)))
      .map(({ port, protocol }) => ({ PrivatePort: port, Type: protocol })),
  ];
}
