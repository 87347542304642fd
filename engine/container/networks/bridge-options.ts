/** Docker's options of the bridge driver, each of which is done or refused by name. */

import net from 'node:net';
import { ContainerError } from '../errors.ts';
import type { NetworkRecord } from './network-record.ts';
import type { NetworkSettings } from './settings.ts';

const BRIDGE = 'com.docker.network.bridge.';

export interface BridgeOptions {
  /** The link's name; empty for the engine's own choice. */
  name: string;
  icc: boolean;
  masquerade: boolean;
  /** Where ports are published unless the request says otherwise. */
  hostAddress: string;
  /** Bytes; 0 for the kernel's default. */
  mtu: number;
}

/** @throws ContainerError `invalid` for a value that cannot be, `unsupported` for an option this engine does not have */
export function bridgeOptions(
  { name, options }: Pick<NetworkRecord, 'name' | 'options'>,
  settings: NetworkSettings,
): BridgeOptions {
  const isDefault = name === 'bridge';
  const result: BridgeOptions = {
    name: '',
    icc: isDefault ? settings.icc : true,
    masquerade: isDefault ? settings.masquerade : true,
    hostAddress: settings.hostAddress,
    mtu: 0,
  };
  for (const [option, value] of Object.entries(options)) {
    switch (option) {
      case `${BRIDGE}name`:
        if (!/^[\w.-]{1,15}$/.test(value) || value === '.' || value === '..')
          throw wrong(option, value, 'a name of 1 to 15 letters, digits, "_", "." and "-"');
        result.name = value;
        break;
      case `${BRIDGE}enable_icc`:
        result.icc = flagOf(option, value);
        break;
      case `${BRIDGE}enable_ip_masquerade`:
        result.masquerade = flagOf(option, value);
        break;
      case `${BRIDGE}host_binding_ipv4`:
        if (!net.isIPv4(value)) throw wrong(option, value, 'an IPv4 address');
        result.hostAddress = value;
        break;
      case `${BRIDGE}default_bridge`:
        if (flagOf(option, value)) throw wrong(option, value, 'false: the default bridge is there already');
        break;
      case 'com.docker.network.driver.mtu':
      case 'mtu':
        if (!/^\d{1,5}$/.test(value) || Number(value) < 68 || Number(value) > 65_535)
          throw wrong(option, value, 'a number from 68 to 65535');
        result.mtu = Number(value);
        break;
      default:
        throw new ContainerError(
          'unsupported',
          `This engine does not have the network option ${option.slice(0, 100)}. Leave --opt ${option.slice(0, 100)} out.`,
        );
    }
  }
  return result;
}

function flagOf(option: string, value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw wrong(option, value, 'true or false');
}

function wrong(option: string, value: string, is: string): ContainerError {
  return new ContainerError('invalid', `the network option ${option} must be ${is}, not "${value.slice(0, 60)}"`);
}
