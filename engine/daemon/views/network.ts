import { createHash } from 'node:crypto';
import type { Engine } from '../../container/engine.ts';

/** The networks that there always are. Their driver has their name, as in Docker. */
export const predefinedNetworks = ['host', 'none'] as const;
export type PredefinedNetwork = (typeof predefinedNetworks)[number];

const DRIVERS: Record<PredefinedNetwork, string> = { host: 'host', none: 'null' };
/** An id has 64 hexadecimal digits; the same engine gives the same ones again. */
export function networkId(engine: Engine, name: PredefinedNetwork): string {
  return createHash('sha256').update(`network\0${name}\0${engine.root.dir}`).digest('hex');
}

/** Docker's Network: with the running containers that are in it, if `inspect`. */
export function networkView(engine: Engine, name: PredefinedNetwork, { inspect = false } = {}) {
  const members = engine.containers
    .all()
    .filter(({ record }) => record.hostConfig.NetworkMode === name && record.status === 'running');
  const member = { EndpointID: '', MacAddress: '', IPv4Address: '', IPv6Address: '' };
  return {
    Name: name,
    Id: networkId(engine, name),
    Created: '1970-01-01T00:00:00Z',
    Scope: 'local',
    Driver: DRIVERS[name],
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: {}, Config: [] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: inspect
      ? Object.fromEntries(members.map(({ id, record }) => [id, { Name: record.name, ...member }]))
      : {},
    Options: {},
    Labels: {},
  };
}
