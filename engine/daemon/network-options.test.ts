import { parseArgs } from 'node:util';
import { describe, expect, test } from 'vitest';
import { NETWORK_OPTIONS, networkArguments, networkSettings, withSwitchValues } from './network-options.ts';

const read = (...argv: string[]) =>
  networkSettings(parseArgs({ args: withSwitchValues(argv), options: NETWORK_OPTIONS }).values, '');

describe('the options for networks', () => {
  test('have Docker’s values when they are left out', () => {
    expect(read()).toEqual({
      bridge: true,
      bip: undefined,
      pools: [],
      hostAddress: '',
      icc: true,
      masquerade: true,
      forward: true,
    });
  });

  test('say the same when they are handed to the next process', () => {
    const pools = [
      '--default-address-pool',
      'base=10.1.0.0/16,size=24',
      '--default-address-pool',
      'size=64,base=fd00::/48',
    ];
    const settings = read(
      '--bip',
      '10.0.0.1/24',
      ...pools,
      '--ip',
      '127.0.0.1',
      '--icc=false',
      '--ip-masq',
      '--ip-forward=0',
    );
    expect(settings).toEqual({
      bridge: true,
      bip: '10.0.0.1/24',
      pools: [
        { base: '10.1.0.0/16', size: 24 },
        { base: 'fd00::/48', size: 64 },
      ],
      hostAddress: '127.0.0.1',
      icc: false,
      masquerade: true,
      forward: false,
    });
    expect(read(...networkArguments(settings))).toEqual(settings);
    expect(read(...networkArguments(read('--bridge', 'none')))).toMatchObject({ bridge: false });
  });

  test('can be said by the environment, over which an option wins', () => {
    expect(networkSettings({}, 'none').bridge).toBe(false);
    expect(networkSettings({ bridge: '' }, 'none').bridge).toBe(true);
  });

  test.each([
    [['--bridge', 'br0'], '--bridge must be none'],
    [['--bip', '10.0.0.0'], '--bip must be an IPv4 address with a prefix'],
    [['--bip', '10.0.0.1/31'], '--bip must be'],
    [['--bip', '10.0.0.1/24', '--bridge', 'none'], 'Use one of the two'],
    [['--default-address-pool', 'base=10.0.0.0/16'], '--default-address-pool must be base=SUBNET,size=BITS'],
    [['--default-address-pool', 'base=10.0.0.0/16,size=8'], '--default-address-pool must be'],
    [['--default-address-pool', 'base=10.0.0.0/16,size=24,x=1'], '--default-address-pool must be'],
    [['--ip', 'here'], '--ip must be an address of this host'],
    [['--icc=maybe'], '--icc must be true or false'],
  ])('%j are refused', (argv, message) => {
    expect(() => read(...argv)).toThrow(message);
  });
});
