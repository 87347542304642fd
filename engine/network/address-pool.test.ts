/** Addresses and subnets: none is given out twice, none is lost. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressPool } from './address-pool.ts';
import { BadAddress, formatAddress, formatCidr, parseAddress, parseCidr } from './ip-address.ts';
import { NumberSet } from './number-set.ts';
import { defaultRanges, freeSubnet } from './subnet-pool.ts';

describe('an address pool', () => {
  test('gives out the lowest free address, and an address that came back again', () => {
    const pool = new AddressPool(parseCidr('172.20.0.0/16'));
    pool.reserve('172.20.0.1');
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual(['172.20.0.2', '172.20.0.3', '172.20.0.4']);
    pool.release('172.20.0.3');
    expect([pool.allocate(), pool.allocate()]).toEqual(['172.20.0.3', '172.20.0.5']);
  });

  test('says so when it is full, and gives neither the network nor the broadcast address', () => {
    const pool = new AddressPool(parseCidr('10.1.2.0/29'));
    const all = Array.from({ length: 6 }, () => pool.allocate());
    expect(all).toEqual([1, 2, 3, 4, 5, 6].map((host) => `10.1.2.${host}`));
    expect(() => pool.allocate()).toThrow(/10\.1\.2\.0\/29 has no free address.*larger subnet/);
  });

  test('both addresses of a /31 are hosts', () => {
    const pool = new AddressPool(parseCidr('10.0.0.0/31'));
    expect([pool.allocate(), pool.allocate()]).toEqual(['10.0.0.0', '10.0.0.1']);
  });

  test('a range is kept to, and addresses of the subnet beside it can be reserved once', () => {
    const pool = new AddressPool(parseCidr('10.0.0.0/24'), parseCidr('10.0.0.128/25'));
    expect(pool.allocate()).toBe('10.0.0.128');
    pool.reserve('10.0.0.7');
    expect(() => pool.reserve('10.0.0.7')).toThrow(/in use already/);
    pool.release('10.0.0.7');
    pool.reserve('10.0.0.7');
    expect(() => new AddressPool(parseCidr('10.0.0.0/24'), parseCidr('10.0.1.0/25'))).toThrow(
      /not a part of the subnet/,
    );
  });

  test.each(['10.0.0.0', '10.0.0.255', '10.0.1.1', '::1'])('%s is not an address of 10.0.0.0/24', (address) => {
    expect(() => new AddressPool(parseCidr('10.0.0.0/24')).reserve(address)).toThrow(/not one of the subnet/);
  });

  test('a subnet of IPv6 is given out from its beginning, and any address of it can be reserved', () => {
    const pool = new AddressPool(parseCidr('fd00:1::/64'));
    pool.reserve('fd00:1::ffff:ffff:ffff:ffff');
    expect(() => pool.reserve('fd00:1:0:0:ffff:ffff:ffff:ffff')).toThrow(/in use already/);
    expect([pool.allocate(), pool.allocate()]).toEqual(['fd00:1::1', 'fd00:1::2']);
  });

  test('the last of 65,000 addresses takes no longer than the first', () => {
    const pool = new AddressPool(parseCidr('10.9.0.0/16'));
    const seen = new Set<string>();
    for (let count = 0; count < 65_534; count++) seen.add(pool.allocate());
    expect(seen.size).toBe(65_534);
    pool.release('10.9.200.1');
    expect(pool.allocate()).toBe('10.9.200.1');
  });

  test('whatever is taken and given back, the set and a list of all numbers agree', () => {
    const command = fc.record({ what: fc.constantFrom('add', 'delete', 'lowest'), number: fc.nat(1499) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1500 }), fc.array(command, { maxLength: 300 }), (size, commands) => {
        const set = new NumberSet(size);
        const model = Array.from({ length: size }, () => false);
        for (const { what, number } of commands) {
          const at = number % size;
          if (what === 'lowest') {
            const free = model.indexOf(false);
            expect(set.addLowest()).toBe(free < 0 ? null : free);
            if (free >= 0) model[free] = true;
          } else {
            expect(what === 'add' ? set.add(at) : set.delete(at)).toBe(model[at] !== (what === 'add'));
            model[at] = what === 'add';
          }
          expect(set.has(at)).toBe(model[at]);
        }
      }),
    );
  });

  test('a set of which every number is in it is full, at each size around a word', () => {
    for (const size of [1, 31, 32, 33, 1023, 1024, 1025]) {
      const set = new NumberSet(size);
      for (let number = 0; number < size; number++) expect(set.addLowest()).toBe(number);
      expect(set.addLowest()).toBeNull();
    }
  });
});

describe('addresses as text', () => {
  test('are the same after they were read and written', () => {
    fc.assert(fc.property(fc.ipV4(), (text) => formatAddress(4, parseAddress(text).value) === text));
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 128n) - 1n), (value) => {
        const text = formatAddress(6, value);
        expect(parseAddress(text)).toEqual({ family: 6, value });
        expect(new URL(`http://[${text}]`).hostname).toBe(`[${text}]`);
      }),
    );
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        expect(`[${formatAddress(6, parseAddress(text).value)}]`).toBe(new URL(`http://[${text}]`).hostname);
      }),
    );
  });

  test.each(['', '1.2.3', '1.2.3.4/33', '::/129', 'fe80::1%eth0/64', '1.2.3.4/', '1.2.3.4/x', '1.2.3.4/8/8', '-1/8'])(
    '%j is not a subnet',
    (text) => {
      expect(() => parseCidr(text)).toThrow(BadAddress);
    },
  );
});

describe('a free subnet', () => {
  const of = (...taken: string[]) => formatCidr(freeSubnet(defaultRanges, taken.map(parseCidr)));

  test('comes in the order that Docker has', () => {
    expect(of()).toBe('172.17.0.0/16');
    expect(of('172.17.0.0/16', '172.18.0.0/16')).toBe('172.19.0.0/16');
    expect(of('172.16.0.0/12')).toBe('192.168.0.0/20');
    expect(of('172.16.0.0/12', '192.168.0.0/24', '192.168.16.9/32')).toBe('192.168.32.0/20');
  });

  test('overlaps with nothing that is taken', () => {
    const taken = fc.array(fc.tuple(fc.bigInt(0n, 2n ** 20n - 1n), fc.integer({ min: 12, max: 32 })), {
      maxLength: 30,
    });
    const base = parseCidr('172.16.0.0/12');
    fc.assert(
      fc.property(taken, fc.integer({ min: 14, max: 28 }), (all, size) => {
        const others = all.map(([offset, prefix]) => ({ family: 4 as const, address: base.address + offset, prefix }));
        let found: string;
        try {
          found = formatCidr(freeSubnet([{ base, size }], others));
        } catch (error) {
          expect((error as Error).message).toMatch(/No free IPv4 subnet is left in 172\.16\.0\.0\/12/);
          return;
        }
        const block = (text: string) => {
          const { address, prefix } = parseCidr(text);
          const length = 2n ** BigInt(32 - prefix);
          const first = (address / length) * length;
          return [first, first + length - 1n] as const;
        };
        const [first, last] = block(found);
        for (const other of others) {
          const [otherFirst, otherLast] = block(formatCidr(other));
          expect(otherLast < first || last < otherFirst).toBe(true);
        }
      }),
    );
  });

  test('none left is a sentence with the way out', () => {
    expect(() => of('172.16.0.0/12', '192.168.0.0/16')).toThrow(/--subnet.*--default-address-pool/);
  });
});
