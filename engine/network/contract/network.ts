/** What the rooms above may ask of the host's network. `openHostNetwork` in host-network.ts answers. */

/** A subnet of a network, IPv4 or IPv6. */
export interface Subnet {
  /** In CIDR notation, with the network's own address: `172.17.0.0/16`, `fd00:1::/64`. */
  subnet: string;
  /** The bridge's address inside of it. */
  gateway: string;
}

/** A network whose containers share a bridge of the host's. */
export interface BridgeNetwork {
  id: string;
  /** The name of the link: 1 to 15 bytes, no slash, no white space. */
  bridge: string;
  /** At most one of IPv4 and one of IPv6 has the container's default route; any number is allowed. */
  subnets: Subnet[];
  /** Whether nothing is forwarded between this network and anything else. Ports cannot be published then. */
  internal: boolean;
  /** Whether containers of this network may speak to each other without a published port. */
  icc: boolean;
  /** Whether packets that leave carry the host's address. */
  masquerade: boolean;
  /** Bytes, 68 to 65535; 0 for the kernel's own default. */
  mtu: number;
}

/** A container's place in a network. */
export interface Endpoint {
  /** At least 11 hexadecimal digits, random: the host's end of the cable is named by them. */
  id: string;
  network: BridgeNetwork;
  /** The link's name inside of the container: `eth0`. */
  interface: string;
  /** With the prefix of their subnets: `172.17.0.2/16`, `fd00:1::2/64`. */
  addresses: string[];
  /** Six bytes in hexadecimal with colons. `macFromAddress` makes Docker's. */
  mac: string;
  /** Whether the default routes lead through this network. Without effect if the network is internal. */
  isGateway: boolean;
}

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** A port of the host's that leads to one of a container's. */
export interface PublishedPort {
  protocol: PortProtocol;
  /**
   * Of the family of `hostAddress`; or of the other one, for TCP only: then this process carries the connections, as it does
   * for those to ::1, and they end with it.
   */
  containerAddress: string;
  /** 1 to 65535. */
  containerPort: number;
  /** An address of the host's; `0.0.0.0` or `::` for all of that family. */
  hostAddress: string;
  /** 0 to 65535; 0 lets the kernel choose, the same for every address of one `protocol` and `containerPort`. */
  hostPort: number;
  /** The last of a range from which the first free port is taken; absent for `hostPort` alone. */
  lastHostPort?: number;
}

/** The part of the host's network that belongs to one state root: links by their names, and one table of nftables. */
export interface HostNetwork {
  /** Make the bridge, its addresses and rules, or put right what differs. Twice is the same as once. */
  raise(network: BridgeNetwork): Promise<void>;
  /** Remove the bridge and its rules; one of somebody else loses what it was given. It need not be there. */
  drop(network: BridgeNetwork): Promise<void>;
  /**
   * Put a link into a container's network namespace, with its addresses, its routes and everything up.
   * @param namespace a descriptor of it. @throws NetworkError; nothing is left then.
   */
  connect(endpoint: Endpoint, namespace: number): void;
  /** Lead the container's default routes through this network, which it is connected to. @throws NetworkError */
  lead(endpoint: Endpoint, namespace: number): void;
  /** Remove the link and cut the connections of its addresses. It need not be there. */
  disconnect(endpoint: Endpoint): void;
  /**
   * Lead ports of the host's to a container: all or none of them.
   * @returns them with the host ports that were chosen. @throws PortTaken that names who has the port if that is known.
   */
  publish(network: BridgeNetwork, ports: PublishedPort[]): Promise<PublishedPort[]>;
  /** Take ports back and cut their connections. They need not be published. */
  unpublish(ports: PublishedPort[]): Promise<void>;
  /**
   * What a daemon does when it starts: hold the ports that are published already, and make the table anew with exactly these
   * networks and ports in one step. @returns the ports that somebody else has taken meanwhile, with the reason.
   * @throws NetworkError for networks that cannot be raised, after all others were
   */
  takeOver(networks: BridgeNetwork[], ports: PublishedPort[]): Promise<{ port: PublishedPort; reason: string }[]>;
  /** Let go of the sockets; links and rules stay and go on working. */
  close(): void;
  /**
   * Remove the table and every bridge that was raised, and turn forwarding off again if it was turned on. If links that came
   * later may need it, forwarding stays on, and of the table what keeps the host's earlier links apart.
   */
  clear(): Promise<void>;
}

/** How a daemon was told to treat the host. */
export interface HostNetworkOptions {
  /** A word for the state root: 1 to 40 of a–z, 0–9, `-`. The table is `skiff-WORD`. */
  root: string;
  /** Whether the engine may turn forwarding on. */
  ipForward: boolean;
  /** The program nft; found by its name if absent. */
  nft?: string;
  /** A directory for what a later daemon has to know of this one, until the machine ends. Nothing is kept if absent. */
  directory?: string;
  /** Milliseconds between looks at whether somebody removed the table, 1 to 2^31-1; 0, or absent: it is not looked at. */
  lookEvery?: number;
  /** Told what could not be done, where the rest goes on. */
  warn?: (message: string) => void;
}
