/** The body of an answer, no faster than the client takes it. */

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { RegistryResponse } from '#contract/registry';

/** The head goes out with the first chunk, so what fails before that is still an answer of its own. */
export async function sendBody(response: ServerResponse, body: RegistryResponse['body']): Promise<void> {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    response.end(body);
    return;
  }
  for await (const chunk of body) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}

async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const abort = new AbortController();
  const { signal } = abort;
  try {
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  } finally {
    abort.abort();
  }
}
