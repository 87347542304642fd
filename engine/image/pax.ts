/** Extended headers: records `LENGTH KEY=VALUE\n` before an entry. pax(1), "pax Extended Header". */

import { HostileArchive } from './tar-header.ts';

/** Values are bytes: an attribute's need not be text. */
export type PaxRecords = Map<string, Buffer>;

/** GNU.sparse.offset and .numbytes of format 0.0 stand once for each piece of a file: their order is all they have. */
export interface ParsedPax {
  records: PaxRecords;
  /** Pairs of offset and length, format 0.0. */
  sparse: number[];
}

/** @throws HostileArchive that quotes the malformed record. */
export function parsePax(content: Buffer): ParsedPax {
  const records: PaxRecords = new Map();
  const sparse: number[] = [];
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(0x20, at);
    const digits = blank < 0 ? '' : content.toString('latin1', at, Math.min(blank, at + 20));
    const end = at + Number(digits);
    const equals = content.indexOf(0x3d, blank);
    if (!/^[1-9]\d*$/.test(digits) || end > content.length || content[end - 1] !== 0x0a || equals < 0 || equals >= end)
      throw new HostileArchive(
        `layer refused: an extended header is damaged at ${JSON.stringify(content.toString('latin1', at, at + 40))}`,
      );
    const key = content.toString('utf8', blank + 1, equals);
    const value = content.subarray(equals + 1, end - 1);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') sparse.push(Number(value.toString('latin1')));
    else records.set(key, value);
    at = end;
  }
  return { records, sparse };
}

/** In the order of the map. */
export function formatPax(records: Map<string, string | Buffer>): Buffer {
  return Buffer.concat([...records].map(([key, value]) => formatRecord(key, Buffer.from(value))));
}

/** The length counts its own digits. */
function formatRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length += 1;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')]);
}
