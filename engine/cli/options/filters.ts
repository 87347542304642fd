import { CliError } from '../errors.ts';

/**
 * `--filter name=value`, as often as given, as the API wants it: `{"name":["value"]}`. Undefined without any.
 * @throws CliError that quotes what has no `=`.
 */
export function filters(given: string[] | undefined): string | undefined {
  if (given === undefined) return undefined;
  const map: Record<string, string[]> = {};
  for (const text of given) {
    const at = text.indexOf('=');
    if (at === -1) throw new CliError(`invalid filter '${text}': it must be NAME=VALUE`, 125);
    const name = text.slice(0, at).trim().toLowerCase();
    map[name] = [...(map[name] ?? []), text.slice(at + 1).trim()];
  }
  return JSON.stringify(map);
}
