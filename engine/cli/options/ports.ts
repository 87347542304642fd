import { UsageError } from '../errors.ts';

/** Docker Engine API, "PortMap". */
export type PortMap = Record<string, { HostIp: string; HostPort: string }[]>;

const PUBLISH = /^(?:(?:(\[[^\]]+\]|[\d.]*):)?(\d*(?:-\d+)?):)?(\d+(?:-\d+)?)(?:\/(tcp|udp|sctp))?$/;

/** `-p [[IP:]HOST:]CONTAINER[/PROTOCOL]`, added to `map`. Ranges pair off one by one; of a range for one port the first free one is taken. */
export function addPublished(map: PortMap, text: string): void {
  const match = PUBLISH.exec(text);
  const containerPorts = match === null ? undefined : portRange(match[3] ?? '');
  const hostPorts = match?.[2] ? portRange(match[2]) : undefined;
  if (match === null || containerPorts === undefined || (match[2] && hostPorts === undefined)) {
    throw new UsageError(
      `invalid argument "${text}" for "-p, --publish" flag: it must be [[IP:]HOST:]CONTAINER[/PROTOCOL]`,
    );
  }
  const choice = hostPorts !== undefined && hostPorts.length > 1 && containerPorts.length === 1;
  if (hostPorts !== undefined && !choice && hostPorts.length !== containerPorts.length) {
    throw new UsageError(`invalid argument "${text}" for "-p, --publish" flag: the two ranges differ in length`);
  }
  for (const [at, port] of containerPorts.entries()) {
    const key = `${port}/${match[4] ?? 'tcp'}`;
    const binding = {
      HostIp: (match[1] ?? '').replace(/[[\]]/g, ''),
      HostPort: choice ? (match[2] ?? '') : String(hostPorts?.[at] ?? ''),
    };
    map[key] = [...(map[key] ?? []), binding];
  }
}

/** The ports that `--expose 80`, `--expose 8000-8010/udp` mean, as `80/tcp`. */
export function exposed(text: string): string[] {
  const [range = '', protocol = 'tcp'] = text.split('/');
  const ports = portRange(range);
  if (ports === undefined)
    throw new UsageError(`invalid argument "${text}" for "--expose" flag: it must be a port or a range`);
  return ports.map((port) => `${port}/${protocol}`);
}

function portRange(text: string): number[] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (first < 1 || last > 65535 || first > last) return undefined;
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
