/** Who gets a port of the host's, and how much it costs to say no. */

import fs from 'node:fs';
import { expect, test, vi } from 'vitest';
import { O_RDONLY, open } from '#kernel/descriptors';
import { everyTestHasAHost, guest, local, network, openHost, port, test as the } from './testing/host.ts';
import { Inhabitant } from './testing/own-network.ts';

everyTestHasAHost();

test('of a range that programs have, the owner of one port is looked for', async () => {
  const net = network(20);
  await the.host.raise(net);
  const server = guest(net, '172.20.0.2/16');
  const program = local();
  for (let number = 9000; number < 9010; number++) await program.listen('tcp', number);
  const reads = vi.spyOn(fs, 'readdirSync');
  try {
    await expect(the.host.publish(net, [port(server, 9000, { lastHostPort: 9009 })])).rejects.toThrow(
      `all ports are already allocated. The first: Bind for 0.0.0.0:9000 failed: port is already allocated: node (process ${program.pid}) has it.`,
    );
    expect(reads.mock.calls.filter(([directory]) => directory === '/proc')).toHaveLength(1);
  } finally {
    reads.mockRestore();
  }
});

test('of two state roots of one host only one gets a port, as also after connections that ended a moment ago', async () => {
  const [net, others] = [network(20), network(21)];
  await the.host.raise(net);
  const second = openHost({ root: 'second' });
  try {
    await second.raise(others);
    const server = guest(net, '172.20.0.2/16');
    const published = await the.host.publish(net, [port(server, 8080)]);
    await expect(second.publish(others, [port(server, 8080)])).rejects.toThrow(/Bind for 0\.0\.0\.0:8080 failed/);
    await the.host.unpublish(published);
    await second.unpublish(await second.publish(others, [port(server, 8080)]));
    // The server ends first, and the kernel keeps its end of the connection for a minute.
    const [program, client] = [new Inhabitant(open('/proc/thread-self/ns/net', O_RDONLY)), local()];
    await program.listen('tcp', 8090);
    await client.keep('127.0.0.1', 8090);
    expect(await client.speak()).toBe('from 127.0.0.1');
    await program.end();
    expect(await client.speak()).toBe('closed');
    expect(await the.host.publish(net, [port(server, 8090)])).toHaveLength(1);
  } finally {
    await second.clear();
  }
});
