import * as z from 'zod/mini';
import type { ApiClient } from './api-client.ts';
import { EventSchema } from './api-types.ts';
import { documents } from './ndjson.ts';

const ExecSchema = z.looseObject({
  Running: z._default(z.boolean(), false),
  ExitCode: z._default(z.nullable(z.number()), null),
  ContainerID: z._default(z.string(), ''),
});

/**
 * The exit code of an exec whose output has ended. Its process may still be about to end: then the daemon's event of
 * that is waited for. @param startedAt when it was started, in milliseconds since 1970.
 */
export async function execExitCode(client: ApiClient, id: string, startedAt: number): Promise<number> {
  const exec = await client.json('GET', `/exec/${id}/json`, ExecSchema);
  if (!exec.Running) return exec.ExitCode ?? 0;
  const filters = JSON.stringify({ container: [exec.ContainerID], event: ['exec_die'] });
  // Events since the start come first, so one that happens between the two questions is not missed.
  const events = await client.stream('GET', '/events', { query: { since: Math.floor(startedAt / 1000), filters } });
  try {
    for await (const { document } of documents(events)) {
      const { execID, exitCode } = EventSchema.parse(document).Actor.Attributes ?? {};
      if (execID === id) return Number(exitCode);
    }
  } finally {
    events.destroy();
  }
  return 0;
}
