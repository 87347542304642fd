import * as z from 'zod';

const text = z.string();

/** What an endpoint has while its container runs. */
const Connection = z.object({
  /** 64 hexadecimal digits. */
  id: text,
  /** The link's name in the container: `eth0`. */
  interface: text,
  /** Six bytes in hexadecimal with colons. */
  mac: text,
  /** Address and prefix, e.g. `172.17.0.2/16`; empty where the network has none of that family. */
  ipv4: text,
  ipv6: text,
  /** The bridge's addresses; empty on an internal network. */
  gateway: text,
  gateway6: text,
});
export type Connection = z.infer<typeof Connection>;

/** A container's place in a network: what was asked for, and what it has. */
export const EndpointRecord = z.object({
  /** The network's id, and the name it had when the container was connected. */
  network: text,
  name: text,
  ipv4: text,
  ipv6: text,
  mac: text,
  aliases: z.array(text),
  links: z.array(text),
  /** The one with the highest has the default route. */
  priority: z.int(),
  connection: Connection.nullable(),
});
export type EndpointRecord = z.infer<typeof EndpointRecord>;

/** A port of the host's that leads to the container while it runs. */
export const PublishedRecord = z.object({
  protocol: z.enum(['tcp', 'udp', 'sctp']),
  containerAddress: text,
  containerPort: z.int(),
  hostAddress: text,
  hostPort: z.int(),
});
export type PublishedRecord = z.infer<typeof PublishedRecord>;

const string = z
  .string()
  .max(65_536)
  .refine((value) => !value.includes('\0'), 'has a NUL character')
  .nullish()
  .transform((value) => value ?? '');
const strings = z
  .array(z.string().max(65_536))
  .max(1024)
  .nullish()
  .transform((value) => value ?? []);

/** Docker Engine API, "EndpointSettings": what a request may say of one. Fields of answers are passed over. */
export const EndpointSettings = z
  .object({
    IPAMConfig: z
      .object({ IPv4Address: string, IPv6Address: string, LinkLocalIPs: strings })
      .nullish()
      .transform((value) => value ?? { IPv4Address: '', IPv6Address: '', LinkLocalIPs: [] }),
    Links: strings,
    Aliases: strings,
    MacAddress: string,
    DriverOpts: z
      .record(z.string(), z.string())
      .nullish()
      .transform((value) => value ?? {}),
    GwPriority: z
      .int()
      .nullish()
      .transform((value) => value ?? 0),
  })
  .nullish()
  .transform((value) => value ?? EMPTY);
export type EndpointSettings = z.infer<typeof EndpointSettings>;

const EMPTY = {
  IPAMConfig: { IPv4Address: '', IPv6Address: '', LinkLocalIPs: [] as string[] },
  Links: [] as string[],
  Aliases: [] as string[],
  MacAddress: '',
  DriverOpts: {} as Record<string, string>,
  GwPriority: 0,
};

/** Docker Engine API, "NetworkingConfig". */
export const NetworkingConfig = z
  .object({
    EndpointsConfig: z
      .record(z.string().max(256), EndpointSettings)
      .nullish()
      .transform((value) => value ?? {}),
  })
  .nullish()
  .transform((value) => value ?? { EndpointsConfig: {} });
export type NetworkingConfig = z.infer<typeof NetworkingConfig>;
