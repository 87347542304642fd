import { collect } from '../command.ts';
import { UsageError } from '../errors.ts';

/** The parser of `--filter NAME=VALUE`. @throws UsageError that quotes what has no `=`. */
export function collectFilter(text: string, before: string[] | undefined): string[] {
  if (text.includes('=')) return collect(text, before);
  throw new UsageError(
    `invalid argument "${text}" for "-f, --filter" flag: bad format of filter (expected name=value)`,
  );
}

/** What was given by `--filter`, as the API wants it: `{"name":["value"]}`. Undefined without any. */
export function filters(given: string[] | undefined): string | undefined {
  if (given === undefined) return undefined;
  const map: Record<string, string[]> = {};
  for (const text of given) {
    const at = text.indexOf('=');
    const name = text.slice(0, at).trim().toLowerCase();
    map[name] = [...(map[name] ?? []), text.slice(at + 1).trim()];
  }
  return JSON.stringify(map);
}
