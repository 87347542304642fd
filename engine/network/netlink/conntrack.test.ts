/** The list of connections, which can have a million entries that are not ours. */

import { expect, test, vi } from 'vitest';
import { everyTestHasAHost, guest, network, outside, port, test as the } from '../testing/host.ts';
import { listConnections } from './conntrack.ts';
import { NetlinkSocket } from './socket.ts';

everyTestHasAHost();

test('publishing and taking back look at the connections of that port alone', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  await server.listen('udp', 80);
  const machine = outside();
  await Promise.all(Array.from({ length: 40 }, (_, index) => machine.ask('udp', '192.0.2.1', 6000 + index)));
  expect(listConnections().length).toBeGreaterThanOrEqual(40);
  const seen: number[] = [];
  const whole = NetlinkSocket.prototype.each;
  const each = vi.spyOn(NetlinkSocket.prototype, 'each').mockImplementation(function (
    this: NetlinkSocket,
    request,
    visit,
  ) {
    let count = 0;
    whole.call(this, request, (message) => {
      count++;
      visit(message);
    });
    seen.push(count);
  });
  try {
    const ports = await the.host.publish(net, [port(server, 6007, { protocol: 'udp' })]);
    expect(seen).toEqual([1]);
    expect(await machine.ask('udp', '192.0.2.1', 6007)).toBe('from 192.0.2.2');
    await the.host.unpublish(ports);
    expect(seen).toEqual([1, 1]);
    // More ports than questions: the kernel is asked once, for the protocol.
    const many = Array.from({ length: 30 }, (_, index) => port(server, 6000 + index, { protocol: 'udp' }));
    await the.host.publish(net, many);
    expect(seen).toHaveLength(3);
  } finally {
    each.mockRestore();
  }
  const left = listConnections().map(({ original }) => original.destinationPort);
  expect(left.filter((number) => number >= 6000 && number < 6040).sort()).toEqual(
    Array.from({ length: 10 }, (_, index) => 6030 + index),
  );
});
