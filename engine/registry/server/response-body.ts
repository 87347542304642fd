/** The body of an answer, no faster than the client takes it. */

import type { ServerResponse } from 'node:http';
import type { RegistryResponse } from '#contract/registry';

/** The head goes out with the first chunk, so what fails before that is still an answer of its own. */
export async function sendBody(response: ServerResponse, body: RegistryResponse['body']): Promise<void> {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    response.end(body);
    return;
  }
  for await (const chunk of body) if (!(await written(response, chunk))) return;
  response.end();
}

/** Once the kernel has taken the chunk, its memory may be used again. @returns false if the client is gone */
function written(response: ServerResponse, chunk: Uint8Array): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const gone = () => resolve(false);
    response.once('close', gone);
    response.write(chunk, (error) => {
      response.off('close', gone);
      resolve(!error);
    });
  });
}
