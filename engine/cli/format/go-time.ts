import { zoneAt } from './time-zone.ts';

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/** What Go's time.Time prints: `2026-11-23 20:05:29 +0000 UTC`. @param seconds since 1970. */
export function goTime(seconds: number): string {
  const { offset, name } = zoneAt(seconds);
  const local = new Date((seconds + offset) * 1000);
  const date = `${local.getUTCFullYear()}-${pad(local.getUTCMonth() + 1)}-${pad(local.getUTCDate())}`;
  const time = `${pad(local.getUTCHours())}:${pad(local.getUTCMinutes())}:${pad(local.getUTCSeconds())}`;
  return `${date} ${time} ${zone(offset)} ${name}`;
}

/** RFC 3339 in local time with nine digits of a second, as docker writes events. @param nano since 1970. */
export function rfc3339Nano(nano: bigint): string {
  const seconds = Number(nano / 1_000_000_000n);
  const { offset } = zoneAt(seconds);
  const local = new Date((seconds + offset) * 1000).toISOString().slice(0, 19);
  const text = zone(offset);
  return `${local}.${pad(Number(nano % 1_000_000_000n), 9)}${offset === 0 ? 'Z' : `${text.slice(0, 3)}:${text.slice(3)}`}`;
}

function zone(offset: number): string {
  const minutes = Math.abs(Math.trunc(offset / 60));
  return `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}${pad(minutes % 60)}`;
}
