/** A port of a container as GET /containers/json lists it. */
export interface Port {
  IP?: string | undefined;
  PrivatePort: number;
  PublicPort?: number | undefined;
  Type: string;
}

interface Range {
  host: string;
  first: number;
  last: number;
  type: string;
}

/** `0.0.0.0:8000-8001->80-81/tcp, 443/tcp`: neighbours of one address and protocol are joined, as docker does. */
export function displayPorts(ports: Port[]): string {
  const sorted = [...ports].sort(
    (a, b) =>
      a.PrivatePort - b.PrivatePort ||
      compare(a.IP ?? '', b.IP ?? '') ||
      (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
      compare(a.Type, b.Type),
  );
  const ranges: Range[] = [];
  const published: string[] = [];
  for (const port of sorted) {
    const own = port.PublicPort ?? 0;
    if (port.IP && own !== port.PrivatePort) {
      published.push(`${address(port.IP)}:${own}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const host = port.IP ?? '';
    const before = ranges.find(
      (each) => each.host === host && each.type === port.Type && each.last + 1 === port.PrivatePort,
    );
    if (before !== undefined) before.last = port.PrivatePort;
    else ranges.push({ host, first: port.PrivatePort, last: port.PrivatePort, type: port.Type });
  }
  const joined = ranges.map(({ host, first, last, type }) => {
    const range = first === last ? String(first) : `${first}-${last}`;
    return host === '' ? `${range}/${type}` : `${address(host)}:${range}->${range}/${type}`;
  });
  return [...joined, ...published].join(', ');
}

function address(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
