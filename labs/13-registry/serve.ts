/** Serve a directory with your plank: `serve.ts DIRECTORY [PORT]`. Each request is a line of the log. */

import fs from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { RegistryResponse } from '#contract/registry';
import { PlainStore } from './plain-store.ts';
import { answer } from './registry.ts';

console.error('Your planks: registry');
const [directory = 'registry', port = '0'] = process.argv.slice(2);
fs.mkdirSync(directory, { recursive: true });
const store = new PlainStore(directory);

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url: target = '', headers } = request;
  const found = await answer({ method, target, headers, body: request, permit: async () => {} }, store).catch(failure);
  console.error(`${method} ${target} ${found.status}`);
  response.writeHead(found.status, found.headers);
  const { body = '' } = found;
  if (method === 'HEAD' || typeof body === 'string' || body instanceof Uint8Array)
    response.end(method === 'HEAD' ? undefined : body);
  else await pipeline(body, response);
}

function failure(error: Error): RegistryResponse {
  console.error(error);
  return { status: error.name === 'NotImplemented' ? 501 : 500, headers: {} };
}

const server = http.createServer((request, response) => {
  respond(request, response).catch((error: Error) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(Number(port), '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
);
