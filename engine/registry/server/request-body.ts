/** The body of a request, chunk by chunk. */

import type { IncomingMessage, ServerResponse } from 'node:http';

/** Bytes of a refused request that are still read, so that its client gets to read the answer. */
const DISCARD_MAX = 8 * 1024 * 1024;
/** Milliseconds. */
const DISCARD_PATIENCE = 5_000;

/** Nothing is asked of the client before the first chunk is. Throws if the client goes away before the end. */
export async function* bodyOf(request: IncomingMessage, response: ServerResponse): AsyncGenerator<Uint8Array> {
  if (request.headers.expect !== undefined && !request.complete) response.writeContinue();
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of chunks) yield chunk;
  if (!request.complete) throw hangUp();
}

/**
 * Read on without keeping anything: a connection that is reset would take the answer with it. It is closed if the client does
 * not come to an end.
 */
export async function discardRest(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  let size = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, DISCARD_PATIENCE);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > DISCARD_MAX) done();
    });
    request.once('end', done).once('close', done).once('error', done);
    request.resume();
  });
  if (!request.complete) request.socket.destroySoon();
}

function hangUp(): Error {
  return Object.assign(new Error('the client went away'), { code: 'ECONNRESET' });
}
