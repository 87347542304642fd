import type { Engine } from '../../container/engine.ts';
import { membersOf } from '../../container/networks/members.ts';
import type { NetworkRecord } from '../../container/networks/network-record.ts';

/** Docker's Network: with the running containers that are in it, if `inspect`. */
export function networkView(engine: Engine, network: NetworkRecord, { inspect = false } = {}) {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: network.ipv4,
    EnableIPv6: network.ipv6,
    IPAM: {
      Driver: 'default',
      Options: network.ipamOptions,
      Config: network.ipam.map(({ subnet, range, gateway, auxiliary }) => ({
        Subnet: subnet,
        ...(range !== '' && { IPRange: range }),
        ...(gateway !== '' && { Gateway: gateway }),
        ...(Object.keys(auxiliary).length > 0 && { AuxiliaryAddresses: auxiliary }),
      })),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: inspect
      ? Object.fromEntries(
          membersOf(engine, network).map(({ container, endpoint }) => [
            container.id,
            {
              Name: container.record.name,
              EndpointID: endpoint?.connection?.id ?? '',
              MacAddress: endpoint?.connection?.mac ?? '',
              IPv4Address: endpoint?.connection?.ipv4 ?? '',
              IPv6Address: endpoint?.connection?.ipv6 ?? '',
            },
          ]),
        )
      : {},
    Options: optionsOf(engine, network),
    Labels: network.labels,
  };
}

/** Of the default bridge what Docker shows of its own: clients look there for the name of the link. */
function optionsOf(engine: Engine, network: NetworkRecord): Record<string, string> {
  if (network.name !== 'bridge') return network.options;
  const { bridge, icc, masquerade } = engine.networks.bridgeOf(network);
  return {
    'com.docker.network.bridge.default_bridge': 'true',
    'com.docker.network.bridge.enable_icc': String(icc),
    'com.docker.network.bridge.enable_ip_masquerade': String(masquerade),
    'com.docker.network.bridge.host_binding_ipv4': engine.networks.settings.hostAddress || '0.0.0.0',
    'com.docker.network.bridge.name': bridge,
    'com.docker.network.driver.mtu': '1500',
  };
}
