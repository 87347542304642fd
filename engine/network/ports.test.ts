/** Published ports: who reaches them, who cannot have them, and what is left when they go. */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { close } from '#kernel/descriptors';
import { openHostNetwork } from './host-network.ts';
import { listConnections } from './netlink/conntrack.ts';
import { runNft } from './nft.ts';
import {
  dualNetwork,
  everyTestHasAHost,
  guest,
  linkNames,
  local,
  network,
  openHost,
  outside,
  port,
  test as the,
} from './testing/host.ts';
import { INIT, INIT_ACK, openSctp, receiveSctp, sendSctp } from './testing/sctp.ts';

everyTestHasAHost();

const nothing = /^(silence|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH)$/;

test.each(['tcp', 'udp'] as const)(
  'a port of %s is reached from outside, the loopback, other containers and the container itself',
  async (protocol) => {
    const [net, other] = [network(20), network(21)];
    await the.host.raise(net);
    await the.host.raise(other);
    const [server, neighbour] = [guest(net, '172.20.0.2/16'), guest(net, '172.20.0.3/16')];
    const stranger = guest(other, '172.21.0.2/16');
    const machine = outside();
    const host = local();
    await server.listen(protocol, 80);
    await the.host.publish(net, [port(server, 8080, { protocol })]);
    expect(await machine.ask(protocol, '192.0.2.1', 8080)).toBe('from 192.0.2.2');
    expect(await host.ask(protocol, '127.0.0.1', 8080)).toBe('from 172.20.0.1');
    expect(await host.ask(protocol, '192.0.2.1', 8080)).toBe('from 192.0.2.1');
    for (const container of [neighbour, stranger, server])
      for (const address of ['192.0.2.1', '172.20.0.1'])
        expect(await container.ask(protocol, address, 8080)).toBe('from 172.20.0.1');
    expect(await machine.ask(protocol, '172.20.0.2', 80)).toMatch(nothing);
    expect(await machine.ask(protocol, '192.0.2.1', 8081)).toMatch(nothing);
  },
);

test('a port of IPv6 is reached from outside, the loopback, other containers and the container itself', async () => {
  const net = dualNetwork(20);
  await the.host.raise(net);
  const [server, neighbour] = [
    guest(net, '172.20.0.2/16', 'fd00:20::2/64'),
    guest(net, '172.20.0.3/16', 'fd00:20::3/64'),
  ];
  const machine = outside();
  for (const protocol of ['tcp', 'udp'] as const) {
    await server.listen(protocol, 80, '::');
    await the.host.publish(net, [port(server, 8080, { protocol, hostAddress: '::' })]);
    expect(await machine.ask(protocol, 'fd99::1', 8080)).toBe('from fd99::2');
    expect(await local().ask(protocol, 'fd99::1', 8080)).toBe('from fd99::1');
    expect(await neighbour.ask(protocol, 'fd99::1', 8080)).toBe('from fd00:20::1');
    expect(await server.ask(protocol, 'fd99::1', 8080)).toBe('from fd00:20::1');
  }
});

test('connections to ::1 and from IPv6 to a container of IPv4 are carried, and end with the port', async () => {
  const [net, old] = [dualNetwork(20), network(21)];
  await the.host.raise(net);
  await the.host.raise(old);
  const [server, other] = [guest(net, '172.20.0.2/16', 'fd00:20::2/64'), guest(old, '172.21.0.2/16')];
  for (const one of [server, other]) await one.listen('tcp', 80, '::');
  const [host, machine] = [local(), outside()];
  const crossed = { hostAddress: '::', containerAddress: '172.21.0.2' };
  await the.host.publish(net, [port(server, 8080, { hostAddress: '::' })]);
  const ports = await the.host.publish(old, [port(other, 8090), port(other, 8090, crossed)]);
  expect(await host.ask('tcp', '::1', 8080)).toBe('from fd00:20::1');
  expect(await host.ask('tcp', '::1', 8090)).toBe('from 172.21.0.1');
  expect(await host.ask('tcp', '127.0.0.1', 8090)).toBe('from 172.21.0.1');
  expect(await machine.ask('tcp', 'fd99::1', 8090)).toBe('from 172.21.0.1');
  await machine.keep('fd99::1', 8090);
  expect(await machine.speak()).toBe('from 172.21.0.1');
  await the.host.unpublish(ports);
  expect(await machine.speak()).toMatch(/closed|silence/);
  expect(await host.ask('tcp', '::1', 8090)).toBe('ECONNREFUSED');
  // The port is free at once, for us and for others.
  await the.host.unpublish(await the.host.publish(old, [port(other, 8090, crossed)]));
  expect(await local().listen('tcp', 8090)).toBe(8090);
  await expect(the.host.publish(old, [port(other, 8091, { ...crossed, protocol: 'udp' })])).rejects.toThrow(
    /The udp port 8091 at :: cannot lead to 172\.21\.0\.2: only TCP/,
  );
});

test('a port of SCTP leads to the container and back, with sound checksums', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  const machine = outside();
  const [inside, beyond] = [openSctp(server.namespace), openSctp(machine.namespace)];
  const ports = await the.host.publish(net, [port(server, 9899, { protocol: 'sctp' })]);
  await expect(the.host.publish(net, [port(server, 9899, { protocol: 'sctp' })])).rejects.toThrow(/already allocated/);
  sendSctp(beyond, '192.0.2.1', 5000, 9899, INIT);
  expect(receiveSctp(inside, INIT)).toEqual({
    source: '192.0.2.2',
    destination: '172.20.0.2',
    sourcePort: 5000,
    destinationPort: 80,
    chunk: INIT,
    isSound: true,
  });
  sendSctp(inside, '192.0.2.2', 80, 5000, INIT_ACK);
  expect(receiveSctp(beyond, INIT_ACK)).toMatchObject({ source: '192.0.2.1', sourcePort: 9899, isSound: true });
  await the.host.unpublish(ports);
  expect(listConnections().filter(({ original }) => original.protocol === 132)).toEqual([]);
  sendSctp(beyond, '192.0.2.1', 5001, 9899, INIT);
  expect(receiveSctp(inside, INIT)).toBeNull();
  for (const socket of [inside, beyond]) close(socket);
});

test('without nft a network is refused, with the package that is missing and the way out, and nothing is left', async () => {
  const host = openHostNetwork({ root: 'no-nft', ipForward: true, nft: '/absent/nft' });
  await expect(host.raise(network(20))).rejects.toThrow(
    /needs the program nft.*Install the package nftables, or use --network none/,
  );
  expect(linkNames()).toEqual(['lo']);
  await host.clear();
});

test('a network that nft refuses leaves nothing, and its words are in the error', async () => {
  const failing = path.join(import.meta.dirname, 'testdata', 'failing-nft.sh');
  const host = openHostNetwork({ root: 'bad-nft', ipForward: true, nft: failing });
  await expect(host.raise(network(20))).rejects.toThrow(
    'nft failed: Error: Could not process rule: Operation not supported',
  );
  expect(linkNames()).toEqual(['lo']);
});

test('a port at one address is not reached at another', async () => {
  const net = network(20);
  await the.host.raise(net);
  const [server, other] = [guest(net, '172.20.0.2/16'), guest(net, '172.20.0.3/16')];
  const machine = outside();
  await server.listen('tcp', 80);
  await the.host.publish(net, [port(server, 8080, { hostAddress: '127.0.0.1' })]);
  expect(await local().ask('tcp', '127.0.0.1', 8080)).toBe('from 172.20.0.1');
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toMatch(nothing);
  await the.host.publish(net, [port(other, 8080, { hostAddress: '192.0.2.1', containerPort: 81 })]);
  await other.listen('tcp', 81);
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toBe('from 192.0.2.2');
  expect(await local().ask('tcp', '127.0.0.1', 8080)).toBe('from 172.20.0.1');
});

test('a port that a program has is refused with the name of the program', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  const other = local();
  await other.listen('tcp', 8080);
  await other.listen('udp', 8080, '127.0.0.1');
  for (const protocol of ['tcp', 'udp'] as const)
    await expect(the.host.publish(net, [port(server, 8079), port(server, 8080, { protocol })])).rejects.toThrow(
      `Bind for 0.0.0.0:8080 failed: port is already allocated: node (process ${other.pid}) has it.`,
    );
  // All or nothing: the first of both is free again.
  expect(await the.host.publish(net, [port(server, 8079)])).toHaveLength(1);
  await expect(the.host.publish(net, [port(server, 8079)])).rejects.toThrow(
    'Bind for 0.0.0.0:8079 failed: port is already allocated: it is published for the container at 172.20.0.2',
  );
  await expect(the.host.publish(net, [port(server, 8081, { hostAddress: '198.51.100.7' })])).rejects.toThrow(
    '198.51.100.7 is not an address of this host',
  );
});

test('no program of the host gets a port that is published, and each does once it is taken back', async () => {
  const net = network(20);
  await the.host.raise(net);
  const ports = await the.host.publish(net, [port(guest(net, '172.20.0.2/16'), 8080)]);
  const program = local();
  await expect(program.listen('tcp', 8080)).rejects.toThrow(/EADDRINUSE/);
  await the.host.unpublish(ports);
  await program.listen('tcp', 8080);
  expect(await local().ask('tcp', '127.0.0.1', 8080)).toBe('from 127.0.0.1');
});

test('a range gives the first free port, and 0 the same free port at every address', async () => {
  const net = dualNetwork(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16', 'fd00:20::2/64');
  await local().listen('tcp', 9000);
  const range = { lastHostPort: 9001 };
  const [first, second] = await the.host.publish(net, [
    port(server, 9000, range),
    port(server, 9000, { ...range, hostAddress: '::' }),
  ]);
  expect([first!.hostPort, second!.hostPort]).toEqual([9001, 9001]);
  await expect(the.host.publish(net, [port(server, 9000, range)])).rejects.toThrow(
    /9000-9001 failed: all ports are already allocated/,
  );
  const free = await the.host.publish(net, [port(server, 0), port(server, 0, { hostAddress: '::' })]);
  expect(free[0]!.hostPort).toBeGreaterThan(1023);
  expect(free[1]!.hostPort).toBe(free[0]!.hostPort);
});

test.each([
  { hostPort: 70000 },
  { hostPort: -1 },
  { hostPort: 90, lastHostPort: 80 },
  { containerPort: 0 },
  { hostPort: 1.5 },
])('a port with %j is refused', async (change) => {
  const net = network(20);
  await the.host.raise(net);
  await expect(the.host.publish(net, [port(guest(net, '172.20.0.2/16'), 80, change)])).rejects.toThrow(
    /A port is a number/,
  );
});

test('connections end when a port is taken back, and the rest of the connections go on', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  await server.listen('tcp', 80);
  const [machine, host] = [outside(), local()];
  const ports = await the.host.publish(net, [port(server, 8080)]);
  const kept = await the.host.publish(net, [port(server, 8090)]);
  await machine.keep('192.0.2.1', 8080);
  await host.keep('127.0.0.1', 8090);
  expect(await machine.speak()).toBe('from 192.0.2.2');
  await the.host.unpublish(ports);
  expect(await machine.speak()).toMatch(/closed|silence/);
  expect(await host.speak()).toBe('from 172.20.0.1');
  await the.host.unpublish(kept);
  the.host.disconnect(server.endpoint);
  const left = listConnections().filter(({ original, reply }) =>
    [original.source, original.destination, reply.source].includes('172.20.0.2'),
  );
  expect(left).toEqual([]);
});

test('a client of UDP that asked before the port was published is answered once it is', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  await server.listen('udp', 80);
  const machine = outside();
  await machine.openUdp('192.0.2.1', 5353);
  expect(await machine.speakUdp()).toMatch(/silence|ECONNREFUSED/);
  await the.host.publish(net, [port(server, 5353, { protocol: 'udp' })]);
  expect(await machine.speakUdp()).toBe('from 192.0.2.2');
});

test('a port that went to another container leads there', async () => {
  const net = network(20);
  await the.host.raise(net);
  const [a, b] = [guest(net, '172.20.0.2/16'), guest(net, '172.20.0.3/16')];
  await a.listen('tcp', 80);
  await b.listen('tcp', 81);
  const machine = outside();
  const ports = await the.host.publish(net, [port(a, 8080)]);
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toBe('from 192.0.2.2');
  await the.host.unpublish(ports);
  await the.host.publish(net, [port(b, 8080, { containerPort: 81 })]);
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toBe('from 192.0.2.2');
  await the.host.unpublish(ports);
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toBe('from 192.0.2.2');
});

test('rules and links work on without the daemon, and the next one takes over', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  await server.listen('tcp', 80);
  const machine = outside();
  const ports = await the.host.publish(net, [port(server, 8080), port(server, 8090)]);
  the.host.close();
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toBe('from 192.0.2.2');
  const thief = local();
  await thief.listen('tcp', 8090);
  the.host = openHost();
  const lost = await the.host.takeOver([net], ports);
  expect(lost).toMatchObject([{ port: { hostPort: 8090 }, reason: expect.stringContaining(`process ${thief.pid}`) }]);
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toBe('from 192.0.2.2');
  await expect(local().listen('tcp', 8080)).rejects.toThrow(/EADDRINUSE/);
  await the.host.unpublish(ports);
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toMatch(nothing);
});

test('rules that somebody flushed come back with the next change', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  await server.listen('tcp', 80);
  await the.host.publish(net, [port(server, 8080)]);
  await runNft('flush ruleset\n');
  const machine = outside();
  expect(await machine.ask('tcp', '192.0.2.1', 8080)).toMatch(nothing);
  await the.host.publish(net, [port(server, 8081)]);
  for (const number of [8080, 8081]) expect(await machine.ask('tcp', '192.0.2.1', number)).toBe('from 192.0.2.2');
});

test('rules that somebody flushed come back when a network is raised', async () => {
  const net = network(20);
  await the.host.raise(net);
  const machine = outside();
  await machine.listen('tcp', 80);
  const a = guest(net, '172.20.0.2/16');
  await runNft('flush ruleset\n');
  await the.host.raise(net);
  expect(await a.ask('tcp', '192.0.2.2', 80)).toBe('from 192.0.2.1');
});

test('rules of others stay as they are', async () => {
  await runNft('table inet other { chain input { type filter hook input priority 0; tcp dport 9 drop; }\n}\n');
  const others = async () => (await listRules()).filter((line) => !line.includes('skiff'));
  const before = await listRules();
  const net = network(20);
  await the.host.raise(net);
  await the.host.publish(net, [port(guest(net, '172.20.0.2/16'), 8080)]);
  expect((await others()).slice(0, before.length)).toEqual(before);
  await the.host.clear();
  expect(await listRules()).toEqual(before);
  await runNft('delete table inet other\n');
});

test('ports that were added one by one are the same to nft as those of a table made at once', async () => {
  const net = dualNetwork(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16', 'fd00:20::2/64');
  outside();
  for (const [index, hostAddress] of ['0.0.0.0', '::', '192.0.2.1', 'fd99::1'].entries())
    for (const protocol of ['tcp', 'udp', 'sctp'] as const)
      await the.host.publish(net, [port(server, 8000 + index, { protocol, hostAddress, containerPort: 80 + index })]);
  const oneByOne = await listRules();
  await the.host.raise({ ...net, masquerade: false });
  await the.host.raise(net);
  const sorted = (lines: string[]) =>
    lines
      .flatMap((line) => line.replace('elements = {', '').split(/[,}]/))
      .map((part) => part.trim())
      .sort();
  expect(sorted(await listRules())).toEqual(sorted(oneByOne));
  expect(oneByOne.join()).toContain('tcp . fd99::1 . 8003 : fd00:20::2 . 83');
});

test('20 ports that are published at once all lead to their container', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  await server.listen('tcp', 80);
  const machine = outside();
  const numbers = Array.from({ length: 20 }, (_, index) => 8000 + index);
  const all = await Promise.all(numbers.map((number) => the.host.publish(net, [port(server, number)])));
  for (const number of numbers) expect(await machine.ask('tcp', '192.0.2.1', number)).toBe('from 192.0.2.2');
  await Promise.all(all.map((ports) => the.host.unpublish(ports)));
  for (const number of numbers.slice(0, 3)) expect(await machine.ask('tcp', '192.0.2.1', number)).toMatch(nothing);
});

async function listRules(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('nft', ['list', 'ruleset']);
  return stdout.split('\n').filter((line) => line !== '');
}
