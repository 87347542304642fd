import type { ApiClient } from './api-client.ts';
import { CliError, ConnectionError, errorText } from './errors.ts';
import { complain, say } from './output.ts';

/** The path of a container's endpoint. */
export function containerPath(container: string, rest = ''): string {
  return `/containers/${encodeURIComponent(container)}${rest}`;
}

/**
 * Do `action` for each name, all at once, and print each name that it worked for, in order. What failed is told on
 * stderr; the command then ends with 1.
 */
export async function forEachName(
  names: string[],
  action: (name: string) => Promise<string | undefined>,
): Promise<void> {
  const attempts = names.map(async (name) => {
    try {
      return { said: await action(name) };
    } catch (error) {
      return { error };
    }
  });
  let failed = false;
  for (const attempt of attempts) {
    const result = await attempt;
    if ('error' in result) {
      failed = true;
      if (result.error instanceof ConnectionError) throw result.error;
      complain(errorText(result.error));
    } else if (result.said !== undefined) {
      say(result.said);
    }
  }
  if (failed) throw new CliError('');
}

/** POST to a container's endpoint, for an answer without content. */
export async function post(client: ApiClient, path: string, query = {}): Promise<void> {
  await client.text('POST', path, { query });
}
