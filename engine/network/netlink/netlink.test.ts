/** Messages that the kernel understands, replies that are cut off or made up, and answers that are lost. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { KernelError } from '#kernel/errors';
import { NETLINK_NETFILTER, NETLINK_ROUTE } from '#kernel/netlink';
import { parseCidr } from '../ip-address.ts';
import { inNamespace, makeNamespace } from '../namespace.ts';
import { enterOwnNetwork } from '../testing/own-network.ts';
import { addAddress, listAddresses, readAddress } from './address.ts';
import { readConnection, whereTracked } from './conntrack.ts';
import { changeLink, createBridge, createCable, deleteLink, findLink, listLinks, readLink } from './link.ts';
import {
  attribute,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  MalformedMessage,
  type NetlinkMessage,
  nested,
  u32,
} from './message.ts';
import { addDefaultRoute, listRoutes, readRoute } from './route.ts';
import { NetlinkSocket, type Request, readError, withNetlink } from './socket.ts';

let home: () => void;
beforeAll(() => {
  home = enterOwnNetwork();
});
afterAll(() => home());

const RTM_GETLINK = 18;
const allLinks: Request = { name: 'RTM_GETLINK', subject: 'all', type: RTM_GETLINK, flags: 0, body: Buffer.alloc(16) };
const absentLink: Request = {
  name: 'RTM_DELLINK',
  subject: 'absent',
  type: 17,
  flags: 0,
  body: Buffer.concat([Buffer.alloc(16), attribute(3, Buffer.from('absent\0'))]),
};

const readers = [readLink, readAddress, readRoute, readConnection, readError];

function acceptsOrRefuses(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedMessage);
  }
}

describe('messages', () => {
  const u16 = fc.integer({ min: 0, max: 0xffff });
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

  test('are the same after they were written and read', () => {
    const message = fc.record({ type: u16, flags: u16, sequence: fc.nat(), body: bytes });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), (all) => {
        expect(decodeMessages(Buffer.concat(all.map(encodeMessage)))).toEqual(all);
      }),
    );
  });

  test('attributes are the same after they were written and read, also inside of others', () => {
    const type = fc.integer({ min: 0, max: 0x3fff });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(type, bytes), { selector: ([key]) => key, maxLength: 8 }), (all) => {
        const encoded = all.map(([key, value]) => attribute(key, value));
        expect([...decodeAttributes(Buffer.concat(encoded))]).toEqual(all);
        expect(decodeAttributes(nested(7, ...encoded)).get(7)).toEqual(Buffer.concat(encoded));
      }),
    );
  });

  test('a value of more than 65,531 bytes is refused', () => {
    expect(() => attribute(1, Buffer.alloc(65_532))).toThrow(RangeError);
  });

  test('arbitrary bytes are read or refused, by name', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), u16, u16, (array, type, flags) => {
        const body = Buffer.from(array);
        acceptsOrRefuses(() => decodeMessages(body));
        acceptsOrRefuses(() => decodeAttributes(body));
        for (const read of readers) acceptsOrRefuses(() => read({ type, flags, sequence: 1, body }));
      }),
      { numRuns: 2000 },
    );
  });

  test('real replies with a few bytes changed or cut off are read or refused, by name', () => {
    const replies = withNetlink(NETLINK_ROUTE, (socket) => {
      createBridge(socket, 'br0', '02:42:00:00:00:01', 'test');
      addAddress(socket, findLink(socket, 'br0')!.index, parseCidr('10.0.0.1/24'));
      const kinds: Request[] = [
        allLinks,
        { ...allLinks, type: 22, body: Buffer.alloc(8) },
        { ...allLinks, type: 26, body: Buffer.alloc(12) },
      ];
      return kinds.flatMap((request) => socket.dump(request));
    });
    withNetlink(NETLINK_ROUTE, (socket) => deleteLink(socket, 'br0'));
    expect(replies.length).toBeGreaterThan(5);
    const change = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...replies), change, fc.nat(40), (reply: NetlinkMessage, changes, missing) => {
        const body = Buffer.from(reply.body.subarray(0, Math.max(0, reply.body.length - missing)));
        for (const [at, value] of changes) if (body.length > 0) body[at % body.length] = value;
        for (const read of readers) acceptsOrRefuses(() => read({ ...reply, body }));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('the kernel', () => {
  test('says in an error what it did not like, and nothing is left of a cable that fails', () => {
    const namespace = makeNamespace();
    withNetlink(NETLINK_ROUTE, (socket) => {
      const gateway = { family: 4, address: parseCidr('10.0.0.1/32').address } as const;
      expect(() => addDefaultRoute(socket, findLink(socket, 'lo')!.index, gateway)).toThrow(
        /^RTM_NEWROUTE default by 10\.0\.0\.1: E\w+: .*\(the kernel says: Nexthop has invalid gateway\)$/,
      );
      const peer = { name: 'eth0', mac: '02:42:00:00:00:02', namespace };
      const cable = { name: 'veth0', alias: '', master: 0, mtu: 70_000, peer };
      expect(() => createCable(socket, cable)).toThrow(/^RTM_NEWLINK veth veth0 with eth0: EINVAL/);
      expect(findLink(socket, 'veth0')).toBeUndefined();
    });
  });

  test('shows what was made: links, addresses and routes', () => {
    const namespace = makeNamespace();
    withNetlink(NETLINK_ROUTE, (socket) => {
      createBridge(socket, 'br1', '02:42:0a:00:00:01', 'the owner');
      const bridge = findLink(socket, 'br1')!;
      expect(bridge).toMatchObject({ kind: 'bridge', alias: 'the owner', mac: '02:42:0a:00:00:01', isUp: false });
      const peer = { name: 'eth0', mac: '02:42:00:00:00:02', namespace };
      createCable(socket, { name: 'veth1', alias: 'a cable', master: bridge.index, mtu: 1400, peer });
      changeLink(socket, findLink(socket, 'veth1')!, { isUp: true, port: { hairpin: true, isolated: true } });
      expect(findLink(socket, 'veth1')).toMatchObject({
        kind: 'veth',
        master: bridge.index,
        mtu: 1400,
        alias: 'a cable',
        isIsolated: true,
      });
      changeLink(socket, bridge, { isUp: true });
      for (const address of ['10.0.0.1/24', 'fd00::1/64']) addAddress(socket, bridge.index, parseCidr(address));
      expect(
        listAddresses(socket).filter(({ index, isLinkLocal }) => index === bridge.index && !isLinkLocal),
      ).toMatchObject([parseCidr('10.0.0.1/24'), parseCidr('fd00::1/64')]);
      expect(listRoutes(socket)).toContainEqual({
        ...parseCidr('10.0.0.0/24'),
        index: bridge.index,
        hasGateway: false,
      });
      deleteLink(socket, 'br1');
      deleteLink(socket, 'veth1');
    });
    expect(inNamespace(namespace, () => withNetlink(NETLINK_ROUTE, listLinks)).map(({ name }) => name)).toEqual(['lo']);
  });

  test('is asked for the routes of the main table, and sends no other', () => {
    withNetlink(NETLINK_ROUTE, (socket) => {
      createBridge(socket, 'br1', '02:42:0a:00:00:01', '');
      const bridge = findLink(socket, 'br1')!;
      changeLink(socket, bridge, { isUp: true });
      addAddress(socket, bridge.index, parseCidr('10.0.0.1/24'));
      const dump = vi.spyOn(socket, 'dump');
      expect(listRoutes(socket).map(({ index }) => index)).toEqual([bridge.index]);
      const messages = dump.mock.results.flatMap(({ value }) => value as NetlinkMessage[]);
      const table = ({ body }: NetlinkMessage) => body.readUInt8(4);
      expect(messages.map(table).filter((one) => one !== 254)).toEqual([]);
      deleteLink(socket, 'br1');
    });
  });

  test('without the list of connections, what needs it is told and is not an error', () => {
    const told: string[] = [];
    const absent: Request = { ...allLinks, subject: 'a subsystem that is absent', type: (15 << 8) | 1 };
    whereTracked(
      () => withNetlink(NETLINK_NETFILTER, (socket) => socket.dump({ ...absent, body: Buffer.alloc(4) })),
      (message) => told.push(message),
    );
    expect(told).toEqual([expect.stringMatching(/EINVAL.*Load the kernel module nf_conntrack_netlink/)]);
    expect(() =>
      whereTracked(() => withNetlink(NETLINK_ROUTE, (socket) => socket.request(absentLink)), console.error),
    ).toThrow(/ENODEV/);
  });

  test('goes on after a request that fails, and the first error is told', () => {
    withNetlink(NETLINK_ROUTE, (socket) => {
      const bridge = (name: string): Request => ({
        ...absentLink,
        subject: name,
        type: 16,
        flags: 0x400,
        body: Buffer.concat([
          Buffer.alloc(16),
          attribute(3, Buffer.from(`${name}\0`)),
          nested(18, attribute(1, Buffer.from('bridge\0'))),
        ]),
      });
      expect(() => socket.requests([bridge('br2'), absentLink, bridge('br3')])).toThrow(/RTM_DELLINK absent: ENODEV/);
      expect([deleteLink(socket, 'br2'), deleteLink(socket, 'br3'), deleteLink(socket, 'br3')]).toEqual([
        true,
        true,
        false,
      ]);
    });
  });

  test('answers that are lost because the socket is full are an error, and the socket works on', () => {
    withNetlink(NETLINK_ROUTE, (socket) => {
      const flood = Array.from({ length: 3000 }, () => absentLink);
      expect(() => socket.requests(flood)).toThrow(/RTM_DELLINK \(recvfrom\) absent: ENOBUFS/);
      expect(
        socket
          .dump(allLinks)
          .map(readLink)
          .map(({ name }) => name),
      ).toEqual(['lo']);
      expect(() => socket.requests(flood)).toThrow(/ENOBUFS/);
      expect(() => socket.request(absentLink)).toThrow(/ENODEV|ENOBUFS/);
      expect(findLink(socket, 'lo')!.isUp).toBe(true);
    });
  });

  test('an unknown family of netlink is refused', () => {
    expect(() => new NetlinkSocket(31)).toThrow(KernelError);
  });

  test('a dump of attributes that are too short is refused, by name', () => {
    const short = encodeMessage({
      type: 16,
      flags: 0,
      sequence: 1,
      body: Buffer.concat([Buffer.alloc(16), attribute(4, u32(1).subarray(0, 2))]),
    });
    expect(() => readLink(decodeMessages(short)[0]!)).toThrow(/2 bytes instead of 4/);
  });
});
