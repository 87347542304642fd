import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { StateRoot } from '../root.ts';

export const IpamConfig = z.object({
  /** In CIDR notation. */
  subnet: z.string(),
  /** The part of the subnet that containers get addresses from; all of it if empty. */
  range: z.string(),
  /** The bridge's address; empty for a network without one. */
  gateway: z.string(),
  /** Addresses that no container gets, by what they are for. */
  auxiliary: z.record(z.string(), z.string()),
});
export type IpamConfig = z.infer<typeof IpamConfig>;

/** What is kept of a network on the disk. */
export const NetworkRecord = z.object({
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string(),
  /** RFC 3339 with nanoseconds. */
  created: z.string(),
  driver: z.enum(['bridge', 'host', 'null']),
  internal: z.boolean(),
  attachable: z.boolean(),
  ipv4: z.boolean(),
  ipv6: z.boolean(),
  ipam: z.array(IpamConfig),
  /** Whether the client chose its subnets: only then may it choose addresses. */
  ownSubnets: z.boolean(),
  options: z.record(z.string(), z.string()),
  ipamOptions: z.record(z.string(), z.string()),
  labels: z.record(z.string(), z.string()),
});
export type NetworkRecord = z.infer<typeof NetworkRecord>;

/** The networks that there are without anybody's doing. */
export type PredefinedName = 'bridge' | 'host' | 'none';
const DRIVERS = { bridge: 'bridge', host: 'host', none: 'null' } as const;

export function isPredefined(name: string): name is PredefinedName {
  return Object.hasOwn(DRIVERS, name);
}

/** The record of a predefined network: the same engine gives it the same id again. */
export function predefinedRecord(root: StateRoot, name: PredefinedName): NetworkRecord {
  return {
    version: 1,
    id: createHash('sha256').update(`network\0${name}\0${root.dir}`).digest('hex'),
    name,
    created: '1970-01-01T00:00:00Z',
    driver: DRIVERS[name],
    internal: false,
    attachable: false,
    ipv4: true,
    ipv6: false,
    ipam: [],
    ownSubnets: false,
    options: {},
    ipamOptions: {},
    labels: {},
  };
}
