/** The daemon's options for networks, called as Docker's daemon calls them. */

import net from 'node:net';
import type { ParseArgsConfig } from 'node:util';
import {
  DEFAULT_NETWORK_SETTINGS,
  type NetworkSettings,
  type SubnetPoolOption,
} from '../container/networks/settings.ts';

export const NETWORK_OPTIONS = {
  bridge: { type: 'string' },
  bip: { type: 'string' },
  'default-address-pool': { type: 'string', multiple: true },
  ip: { type: 'string' },
  icc: { type: 'string' },
  'ip-masq': { type: 'string' },
  'ip-forward': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

export const NETWORK_USAGE =
  '  [--bridge none] [--bip ADDRESS/PREFIX] [--default-address-pool base=SUBNET,size=BITS]... [--ip ADDRESS]\n' +
  '  [--icc=true|false] [--ip-masq=true|false] [--ip-forward=true|false]';

type Values = { [name in keyof typeof NETWORK_OPTIONS]?: string | string[] | undefined };

/** Go's switches have a value only after an equals sign; `--icc` alone is `--icc=true`. */
export function withSwitchValues(argv: string[]): string[] {
  return argv.map((word) => (['--icc', '--ip-masq', '--ip-forward'].includes(word) ? `${word}=true` : word));
}

/** @throws Error that names the option and says what it takes. */
export function networkSettings(values: Values, environment = process.env.SKIFF_BRIDGE): NetworkSettings {
  const bridge = (values.bridge ?? environment ?? '') as string;
  if (bridge !== '' && bridge !== 'none')
    throw new Error(
      `--bridge must be none, or left out, not "${bridge}": this engine makes its default bridge itself.`,
    );
  const bip = values.bip as string | undefined;
  if (bip !== undefined && !isInterfaceAddress(bip))
    throw new Error(`--bip must be an IPv4 address with a prefix, like 10.0.0.1/24, not "${bip}".`);
  if (bip !== undefined && bridge === 'none')
    throw new Error(
      '--bip is the address of the default bridge, and --bridge none leaves that out. Use one of the two.',
    );
  const hostAddress = (values.ip ?? '') as string;
  if (hostAddress !== '' && !net.isIP(hostAddress))
    throw new Error(`--ip must be an address of this host, not "${hostAddress}".`);
  return {
    bridge: bridge !== 'none',
    bip,
    pools: ((values['default-address-pool'] ?? []) as string[]).map(poolOf),
    hostAddress,
    icc: switchOf('icc', values, DEFAULT_NETWORK_SETTINGS.icc),
    masquerade: switchOf('ip-masq', values, DEFAULT_NETWORK_SETTINGS.masquerade),
    forward: switchOf('ip-forward', values, DEFAULT_NETWORK_SETTINGS.forward),
  };
}

/** The same options once more. */
export function networkArguments(settings: NetworkSettings): string[] {
  const { bridge, bip, pools, hostAddress, icc, masquerade, forward } = settings;
  return [
    ...(bridge ? [] : ['--bridge', 'none']),
    ...(bip === undefined ? [] : ['--bip', bip]),
    ...pools.flatMap(({ base, size }) => ['--default-address-pool', `base=${base},size=${size}`]),
    ...(hostAddress === '' ? [] : ['--ip', hostAddress]),
    `--icc=${icc}`,
    `--ip-masq=${masquerade}`,
    `--ip-forward=${forward}`,
  ];
}

function switchOf(name: keyof Values, values: Values, otherwise: boolean): boolean {
  const value = values[name] as string | undefined;
  if (value === undefined) return otherwise;
  if (['true', '1', 't', 'TRUE', 'True'].includes(value)) return true;
  if (['false', '0', 'f', 'FALSE', 'False'].includes(value)) return false;
  throw new Error(`--${name} must be true or false, not "${value}".`);
}

function poolOf(text: string): SubnetPoolOption {
  const fields = new Map(text.split(',').map((part) => part.split('=', 2) as [string, string]));
  const base = fields.get('base') ?? '';
  const size = Number(fields.get('size') ?? Number.NaN);
  const [address = '', prefix = ''] = base.split('/');
  const most = net.isIP(address) === 6 ? 128 : 32;
  const isRight =
    net.isIP(address) &&
    /^\d{1,3}$/.test(prefix) &&
    Number.isInteger(size) &&
    size >= Number(prefix) &&
    size <= most - 2;
  if (!isRight || [...fields.keys()].some((name) => name !== 'base' && name !== 'size'))
    throw new Error(
      `--default-address-pool must be base=SUBNET,size=BITS, like base=10.10.0.0/16,size=24, not "${text.slice(0, 100)}".`,
    );
  return { base, size };
}

function isInterfaceAddress(text: string): boolean {
  const [address = '', prefix = '', ...more] = text.split('/');
  return net.isIPv4(address) && /^\d{1,2}$/.test(prefix) && Number(prefix) >= 8 && Number(prefix) <= 30 && !more.length;
}
