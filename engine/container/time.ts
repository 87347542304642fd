/** Times as Docker writes them: RFC 3339 in UTC with nanoseconds. */

/** What Docker shows for a time that has not come: Go's zero time. */
export const NEVER = '0001-01-01T00:00:00Z';

/** Nanoseconds since 1970. The clock behind it has microseconds. */
export function nowNanoseconds(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** Nanoseconds since 1970 as `2026-01-31T12:00:00.123456789Z`. */
export function formatTime(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n;
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0');
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

export function now(): string {
  return formatTime(nowNanoseconds());
}

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** An RFC 3339 time as nanoseconds since 1970; null for any other text. */
export function parseTime(text: string): bigint | null {
  const match = RFC3339.exec(text);
  if (!match) return null;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return null;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** A query parameter such as `since`: seconds since 1970 with up to nine decimals, or RFC 3339. Null if it is neither. */
export function parseTimestamp(text: string): bigint | null {
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (match) return BigInt(match[1] ?? 0) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
  return parseTime(text);
}
