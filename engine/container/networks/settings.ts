/** What the daemon was told about its networks. Docker's daemon has the same options. */

export interface NetworkSettings {
  /** Whether there is a network `bridge`, and it is the default. False with `--bridge none`. */
  bridge: boolean;
  /** The address and prefix of the default bridge itself, e.g. `10.0.0.1/24`; chosen from the pools if undefined. */
  bip?: string | undefined;
  /** Where networks without a subnet of their own get one from; the engine's own pools if empty. */
  pools: SubnetPoolOption[];
  /** The host's address that ports are published on unless a request says otherwise. */
  hostAddress: string;
  /** Whether containers on the default bridge reach each other. */
  icc: boolean;
  /** Whether what they send to the outside gets the host's address. */
  masquerade: boolean;
  /** Whether the engine sets the host to forward packets. */
  forward: boolean;
}

export interface SubnetPoolOption {
  /** A network, e.g. `10.10.0.0/16`. */
  base: string;
  /** Bits of the prefix of each network that is taken from it. */
  size: number;
}

export const DEFAULT_NETWORK_SETTINGS: NetworkSettings = {
  bridge: true,
  pools: [],
  hostAddress: '',
  icc: true,
  masquerade: true,
  forward: true,
};
