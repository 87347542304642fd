import type { ContainerRecord } from '../../container/record.ts';

/** Docker's EndpointSettings for the network a container is in: `none` and `host` have no addresses of their own. */
export function networks({ hostConfig }: ContainerRecord) {
  return {
    [hostConfig.NetworkMode]: {
      IPAMConfig: null,
      Links: [],
      Aliases: [],
      MacAddress: '',
      DriverOpts: null,
      GwPriority: 0,
      NetworkID: '',
      EndpointID: '',
      Gateway: '',
      IPAddress: '',
      IPPrefixLen: 0,
      IPv6Gateway: '',
      GlobalIPv6Address: '',
      GlobalIPv6PrefixLen: 0,
      DNSNames: [],
    },
  };
}

/** Docker's NetworkSettings. */
export function networkSettings(record: ContainerRecord) {
  return {
    Bridge: '',
    SandboxID: '',
    SandboxKey: '',
    Ports: {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: '',
    Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    MacAddress: '',
    Networks: networks(record),
  };
}
