import fs from 'node:fs';

/** Seconds east of Greenwich and the zone's abbreviation, e.g. `{offset: 32400, name: 'KST'}`. */
export interface Zone {
  offset: number;
  name: string;
}

const UTC: Zone = { offset: 0, name: 'UTC' };

let cached: Buffer | undefined | null = null;

/**
 * The local zone at a time. JavaScript knows the offset but not the abbreviation (it says GMT+9 for KST), so that is
 * read from the zone's own file. tzfile(5).
 */
export function zoneAt(seconds: number): Zone {
  if (cached === null) cached = readZoneFile();
  const offset = -new Date(seconds * 1000).getTimezoneOffset() * 60;
  if (cached === undefined) return offset === 0 ? UTC : { offset, name: signed(offset) };
  return { offset, name: abbreviation(cached, seconds) ?? (offset === 0 ? 'UTC' : signed(offset)) };
}

/** What the file says at `seconds`; undefined if it is not a time zone file or says nothing about that time. */
export function abbreviation(file: Buffer, seconds: number): string | undefined {
  if (file.toString('latin1', 0, 4) !== 'TZif') return undefined;
  const first = header(file, 0);
  const second = file[4] === 0 ? undefined : header(file, first.end);
  const block = second ?? first;
  const wide = second === undefined ? 4 : 8;
  const typesAt = block.body + block.times * wide;
  const recordsAt = typesAt + block.times;
  const namesAt = recordsAt + block.types * 6;
  const timeAt = (index: number): number =>
    wide === 8 ? Number(file.readBigInt64BE(block.body + index * 8)) : file.readInt32BE(block.body + index * 4);
  let index = block.times - 1;
  while (index >= 0 && timeAt(index) > seconds) index -= 1;
  // After the last transition the rule in the footer holds; a zone with daylight saving alternates there.
  if (index === block.times - 1 && second !== undefined) return footerName(file, second.end, seconds);
  const type = index < 0 ? 0 : (file[typesAt + index] ?? 0);
  const nameAt = namesAt + (file[recordsAt + type * 6 + 5] ?? 0);
  return file.toString('latin1', nameAt, file.indexOf(0, nameAt));
}

interface Block {
  times: number;
  types: number;
  body: number;
  end: number;
}

function header(file: Buffer, at: number): Block {
  const [utc, standard, leaps, times, types, characters] = [20, 24, 28, 32, 36, 40].map((o) =>
    file.readUInt32BE(at + o),
  );
  const [u, s, l, n, t, c] = [utc ?? 0, standard ?? 0, leaps ?? 0, times ?? 0, types ?? 0, characters ?? 0];
  const wide = at === 0 ? 4 : 8;
  const body = at + 44;
  return { times: n, types: t, body, end: body + n * wide + n + t * 6 + c + l * (wide + 4) + s + u };
}

/** The POSIX TZ string after the tables: `KST-9`, `CET-1CEST,M3.5.0,M10.5.0/3`, `<+03>-3`. tzset(3). */
function footerName(file: Buffer, at: number, seconds: number): string | undefined {
  const rule = file.toString('latin1', at).trim();
  const match = /^(<[^>]+>|[A-Za-z]+)([-+\d:]+)(<[^>]+>|[A-Za-z]+)?/.exec(rule);
  if (match?.[1] === undefined) return undefined;
  const strip = (name: string): string => name.replace(/[<>]/g, '');
  if (match[3] === undefined) return strip(match[1]);
  const [hours = 0, minutes = 0] = (match[2] ?? '0').replace(/^[-+]/, '').split(':').map(Number);
  const standard = (match[2]?.startsWith('-') ? 1 : -1) * (hours * 60 + minutes);
  const isStandard = -new Date(seconds * 1000).getTimezoneOffset() === standard;
  return strip(isStandard ? match[1] : match[3]);
}

function readZoneFile(): Buffer | undefined {
  const zone = process.env.TZ?.replace(/^:/, '');
  if (zone === '') return undefined;
  const file = zone === undefined ? '/etc/localtime' : zone.startsWith('/') ? zone : `/usr/share/zoneinfo/${zone}`;
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}

function signed(offset: number): string {
  const hours = Math.trunc(Math.abs(offset) / 3600);
  return `${offset < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}`;
}
