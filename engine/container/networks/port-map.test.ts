import { expect, test } from 'vitest';
import { exposedOf, exposedPorts, portName, portRequests } from './port-map.ts';

const requests = (
  PortBindings: Record<string, { HostIp: string; HostPort: string }[]>,
  exposed: string[] = [],
  all = false,
) =>
  portRequests(
    { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) },
    { PortBindings, PublishAllPorts: all },
  );

test('a binding is an address, a port, a range, or nothing, which leaves both to the engine', () => {
  const bindings = [
    { HostIp: '', HostPort: '' },
    { HostIp: '::1', HostPort: '0' },
    { HostIp: '127.0.0.1', HostPort: '8000-8010' },
  ];
  expect(requests({ '80': bindings, '53/UDP': [], '54/udp': [{ HostIp: '', HostPort: '54' }] })).toEqual([
    { port: 80, protocol: 'tcp', hostAddress: '', hostPort: 0, lastHostPort: 0 },
    { port: 80, protocol: 'tcp', hostAddress: '::1', hostPort: 0, lastHostPort: 0 },
    { port: 80, protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8000, lastHostPort: 8010 },
    { port: 54, protocol: 'udp', hostAddress: '', hostPort: 54, lastHostPort: 54 },
  ]);
});

test('-P publishes what is exposed and not published yet, each port once', () => {
  const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }], '81/tcp': [] };
  const all = requests(bindings, ['80', '7000-7001/udp', '81', '7000/udp'], true);
  expect(all.map((each) => `${portName(each)} ${each.hostPort}`)).toEqual([
    '80/tcp 8080',
    '81/tcp 0',
    '7000/udp 0',
    '7001/udp 0',
  ]);
});

test.each(['', '0', '65536', '80/xtp', '80/tcp/x', 'http', '-1', '1e3', '90-80', '80-'])(
  'the port %j is refused',
  (port) => {
    expect(() => exposedPorts([port])).toThrow(/invalid (port|proto)/);
  },
);

test.each([
  ['here', '80'],
  ['', '70000'],
  ['', '-80'],
  ['', '0-10'],
  ['', '20-10'],
  ['', 'x'],
])('a binding to %j and %j is refused', (HostIp, HostPort) => {
  expect(() => requests({ '80/tcp': [{ HostIp, HostPort }] })).toThrow(/invalid (IP address|published port)/);
});

test('what an image exposes is bounded before it is counted out, and is never a reason to show nothing at all', () => {
  const ranges = Array.from({ length: 10_000 }, (_, index) => `${index + 1}-65535`);
  expect(() => exposedPorts(ranges)).toThrow('at most 65535 can be');
  expect(exposedPorts(['1-65535']).length).toBe(65_535);
  expect(exposedPorts(['80', '80/tcp', '79-81/tcp', '80/udp']).map(portName)).toEqual([
    '80/tcp',
    '79/tcp',
    '81/tcp',
    '80/udp',
  ]);
  for (const names of [['x'], ranges])
    expect(exposedOf({ ExposedPorts: Object.fromEntries(names.map((name) => [name, {}])) })).toEqual([]);
});
