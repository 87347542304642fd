/** A registry of a few lines: a manifest is a file, and its name is its path. It only takes manifests. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';

const [directory] = process.argv.slice(2);
const server = createServer(async (request, response) => {
  const [, name, tag] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(decodeURIComponent(request.url)) ?? [];
  if (request.method !== 'PUT' || name === undefined) return response.writeHead(404).end();
  const file = join(directory, name, tag);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, await buffer(request));
  response.writeHead(201).end();
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
