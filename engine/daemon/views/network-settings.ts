import type { ContainerRecord } from '../../container/record.ts';
import { SLIRP } from '../../network/user-mode.ts';

/**
 * Docker's EndpointSettings for the network a container is in: `none` and `host` have no addresses of their own, and
 * pasta gives it the host's.
 */
export function networks({ hostConfig, status }: ContainerRecord) {
  const slirp = hostConfig.NetworkMode === 'slirp4netns' && ['running', 'paused'].includes(status) ? SLIRP : undefined;
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
      Gateway: slirp?.gateway ?? '',
      IPAddress: slirp?.address ?? '',
      IPPrefixLen: slirp?.prefix ?? 0,
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
