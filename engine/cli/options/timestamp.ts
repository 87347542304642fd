import { CliError } from '../errors.ts';
import { parseDuration } from '../format/duration.ts';

/**
 * A time as the API wants it, `seconds[.nanoseconds]` since 1970: from `10m` (so long ago), a date with or without time
 * and zone (local unless it says), or seconds since 1970.
 * @throws CliError that quotes any other text.
 */
export function timestamp(text: string | undefined, now: number = Date.now()): string | undefined {
  if (text === undefined || text === '') return undefined;
  const ago = parseDuration(text);
  if (ago !== undefined) return (now / 1000 - ago).toFixed(9);
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (match !== null) {
    const [, date, time = '00:00:00', fraction = '', zone = ''] = match;
    const full = time.length === 5 ? `${time}:00` : time;
    const milliseconds = new Date(`${date}T${full}${zone}`).getTime();
    if (!Number.isNaN(milliseconds)) return `${milliseconds / 1000}.${fraction.slice(1).padEnd(9, '0')}`;
  }
  throw new CliError(`"${text}" is not a time: write 10m, 2026-01-02T13:23:37Z or seconds since 1970.`, 125);
}
