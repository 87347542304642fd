import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressBytes } from './address-data.ts';
import { hostResolvers } from './host-resolvers.ts';
import { NetworkNames } from './names.ts';

test('any spelling of an IPv6 address is the same 16 bytes', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      // The other reader of addresses that there is spells each of them in one way only.
      const spelled = new URL(`http://[${address}]/`).hostname.slice(1, -1);
      expect(addressBytes(address)).toEqual(addressBytes(spelled));
      expect(addressBytes(address).length).toBe(16);
    }),
  );
  expect(addressBytes('::ffff:1.2.3.4').toString('hex')).toBe('00000000000000000000ffff01020304');
  expect(addressBytes('fd00:1::2').toString('hex')).toBe('fd000001000000000000000000000002');
  expect(net.isIP('::')).toBe(6);
  expect(addressBytes('::')).toEqual(Buffer.alloc(16));
});

test('thousands of members come and go and leave nothing behind', () => {
  const names = new NetworkNames('shop');
  const members = Array.from({ length: 5000 }, (_, index) => ({
    names: [`c${index}`, `alias${index}`],
    addresses: [`10.1.${index >> 8}.${index & 255}`],
  }));
  for (const member of members) names.add(member);
  expect(names.addressesOf('c4999', 4)).toEqual(['10.1.19.135']);
  for (const member of members) names.remove(member);
  expect(names.addressesOf('c4999', 4)).toBe(undefined);
  expect(names.ownerOf(addressBytes('10.1.19.135').toString('hex'))).toBe(undefined);
});

test("the host's name servers are read again when they change", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-resolv-'));
  try {
    const file = path.join(directory, 'resolv.conf');
    expect(hostResolvers(file)).toEqual(['127.0.0.1']);
    fs.writeFileSync(
      file,
      '# nameserver 9.9.9.9\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\nnameserver nonsense\n',
    );
    expect(hostResolvers(file)).toEqual(['192.0.2.1', '2001:db8::1']);
    fs.writeFileSync(`${file}.new`, ['1', '2', '3', '4'].map((last) => `nameserver 192.0.2.${last}\n`).join(''));
    fs.renameSync(`${file}.new`, file);
    expect(hostResolvers(file)).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    fs.rmSync(file);
    expect(hostResolvers(file)).toEqual(['127.0.0.1']);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
