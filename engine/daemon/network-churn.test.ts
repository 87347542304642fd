/**
 * Many starts with networks and ports, while containers, the shim and the daemon are killed: nothing is left of them. How
 * many, and which kills, can be said: SKIFF_CHURN=2000 SKIFF_CHURN_SEED=7.
 */

import dgram from 'node:dgram';
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inNamespace } from '../network/namespace.ts';
import { listConnections } from '../network/netlink/conntrack.ts';
import { socketWithin } from '../network/resolver/sockets.ts';
import { NetworkedDaemon, noNetworks } from './testing/networked-daemon.ts';

const STARTS = Number(process.env.SKIFF_CHURN ?? 24);
const SEED = Number(process.env.SKIFF_CHURN_SEED ?? 1);
const AT_ONCE = 4;
/** Protocols of IP: TCP, UDP and SCTP. The bridges themselves speak IGMP. */
const WITH_PORTS = [6, 17, 132];

/** Numbers from 0 to below 1, the same for the same seed. Numerical Recipes' generator. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe.skipIf(noNetworks())('churn', () => {
  let net: NetworkedDaemon;
  let holder: ReturnType<NetworkedDaemon['hold']>;
  const random = randomNumbers(SEED);
  let namespace = -1;
  const counts = { started: 0, failed: 0, containers: 0, shims: 0, daemons: 0 };

  beforeAll(async () => {
    net = await NetworkedDaemon.start();
    holder = net.hold();
    namespace = fs.openSync(`/proc/${holder.pid}/ns/net`, 'r');
    net.daemon.within(['nsenter', '--net', `--target=${holder.pid}`, 'env', '-u', 'SKIFF_BRIDGE']);
  });
  afterAll(async () => {
    const left = await net?.destroy();
    holder?.end();
    if (namespace >= 0) fs.closeSync(namespace);
    expect(left).toEqual([]);
  });

  async function tell(port: number): Promise<void> {
    if (port === 0) return;
    const socket = dgram.createSocket('udp4');
    socket.on('error', () => {});
    socket.bind({ fd: socketWithin(namespace, 'udp', 4) });
    await new Promise((resolve) => socket.send('hello', port, '127.0.0.1', resolve));
    socket.close();
  }

  /** One container from its creation to its end. A daemon that is killed meanwhile may cut it off at any step. */
  async function live(name: string): Promise<void> {
    const { daemon } = net;
    const network = random() < 0.5 ? 'bridge' : 'shop';
    const created = await daemon.post(`/containers/create?name=${name}`, {
      Image: 'hostbox',
      Cmd: ['sleep', '1000'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      HostConfig: {
        NetworkMode: network,
        PortBindings: { '80/tcp': [{ HostPort: '' }], '53/udp': [{ HostIp: '127.0.0.1' }] },
        RestartPolicy: { Name: random() < 0.2 ? 'always' : 'no' },
      },
    });
    const id = created.json.Id as string;
    const started = await daemon.post(`/containers/${id}/start`);
    if (started.status === 204) counts.started++;
    else counts.failed++;
    const { json } = await daemon.get(`/containers/${id}/json`);
    const pid = json.State.Pid as number;
    // An entry of a connection, which has to go with the port.
    await tell(Number(json.NetworkSettings.Ports['53/udp']?.[0]?.HostPort ?? 0));
    if (random() < 0.3 && pid > 0) {
      counts.containers++;
      process.kill(pid, 'SIGKILL');
    }
    if (network === 'bridge' && random() < 0.4) await daemon.post('/networks/shop/connect', { Container: id });
    if (random() < 0.3) await daemon.post(`/containers/${id}/stop?t=0`);
    if (random() < 0.2) await daemon.post('/networks/shop/disconnect', { Container: id, Force: true });
    if (random() < 0.8) await daemon.request('DELETE', `/containers/${id}?force=1&v=1`);
  }

  test('starts, kills and crashes leave nothing behind', async () => {
    const { daemon } = net;
    expect((await daemon.post('/networks/create', { Name: 'shop' })).status).toBe(201);
    for (let first = 0; first < STARTS; first += AT_ONCE) {
      const lives = Array.from({ length: AT_ONCE }, (_, index) => live(`c${first + index}`));
      const blow = random();
      if (blow < 0.35) await Promise.race(lives.map((each) => each.catch(() => {})));
      if (blow < 0.2) {
        counts.daemons++;
        await daemon.crash();
      } else if (blow < 0.35) {
        const shim = daemon.shimPid();
        if (shim !== null) {
          counts.shims++;
          process.kill(shim, 'SIGKILL');
        }
      }
      await Promise.allSettled(lives);
      if (blow < 0.2) await daemon.launch();
    }
    console.log(`${STARTS} lives, seed ${SEED}: ${JSON.stringify(counts)}`);
    expect(counts.started).toBeGreaterThan(STARTS / 2);

    const left = (await daemon.get('/containers/json?all=1')).json as { Id: string }[];
    for (const { Id } of left) await daemon.request('DELETE', `/containers/${Id}?force=1&v=1`);
    expect((await daemon.get('/containers/json?all=1')).json).toEqual([]);

    // With the daemon: bridges alone, no port, no address, no descriptor of a namespace, no entry of a connection.
    await expect.poll(() => net.links().filter((name) => /^veth/.test(name))).toEqual([]);
    await expect.poll(() => publishedElements(holder.run('nft -j list ruleset'))).toEqual([]);
    await expect.poll(() => namespacesHeldBy(daemon.process!.pid!)).toEqual([]);
    const created = await daemon.post('/containers/create', { Image: 'hostbox', Cmd: ['sleep', '1000'] });
    await daemon.post(`/containers/${created.json.Id}/start`);
    const { IPAddress, Gateway } = (await daemon.get(`/containers/${created.json.Id}/json`)).json.NetworkSettings;
    expect(IPAddress).toBe(Gateway.replace(/\.1$/, '.2'));
    await daemon.request('DELETE', `/containers/${created.json.Id}?force=1`);
    expect(
      inNamespace(namespace, listConnections).filter(({ original }) => WITH_PORTS.includes(original.protocol)),
    ).toEqual([]);

    // Without it: nothing.
    expect((await daemon.request('DELETE', '/networks/shop')).status).toBe(204);
    daemon.process!.kill('SIGTERM');
    await expect.poll(() => holder.run('ip -o link').split('\n').length).toBe(1);
    await expect.poll(() => holder.run('nft list tables')).toBe('');
    expect(holder.run('ip -o -4 addr')).not.toContain('172.');
    await expect.poll(() => daemon.process!.exitCode).toBe(0);
    await daemon.launch();
  });
});

/** What the maps of published ports hold. */
function publishedElements(listing: string): unknown[] {
  const { nftables } = JSON.parse(listing) as { nftables: { map?: { elem?: unknown[] } }[] };
  const maps = nftables.flatMap(({ map }) => map ?? []);
  expect(maps.length).toBeGreaterThan(0);
  return maps.flatMap(({ elem }) => elem ?? []);
}

/** Network namespaces that a process keeps alive. */
function namespacesHeldBy(pid: number): string[] {
  return fs.readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const target = fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
      return target.startsWith('net:') ? [target] : [];
    } catch {
      return [];
    }
  });
}
