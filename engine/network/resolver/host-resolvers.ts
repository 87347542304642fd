/** The name servers that the host itself asks. resolv.conf(5). */

import fs from 'node:fs';
import net from 'node:net';

const FILE = '/etc/resolv.conf';
const MOST = 3; // MAXNS, resolv.h
/** Without any, the C library asks the host itself. */
const FALLBACK = ['127.0.0.1'];

let read: { stamp: string; servers: string[] } | undefined;

/** At most three addresses, in the host's order; as they are now, since they change while a host moves between networks. */
export function hostResolvers(file = FILE): string[] {
  const stamp = stampOf(file);
  if (read?.stamp !== stamp) read = { stamp, servers: parse(file) };
  return read.servers;
}

function stampOf(file: string): string {
  const stat = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? file : `${file} ${stat.dev} ${stat.ino} ${stat.mtimeNs} ${stat.size}`;
}

function parse(file: string): string[] {
  let text = '';
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    // As if it were empty.
  }
  const servers = [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)]
    .map(([, address]) => address!)
    .filter((address) => net.isIP(address) !== 0)
    .slice(0, MOST);
  return servers.length > 0 ? servers : FALLBACK;
}
