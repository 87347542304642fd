/** Send one request, with its path as it is: `ask.mjs METHOD URL [FILE [TYPE]]`. Prints what the answer says. */

import { readFileSync } from 'node:fs';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';

const [method, url, file, type = 'application/octet-stream'] = process.argv.slice(2);
const [, origin, path] = /^(http:\/\/[^/]+)(.*)$/.exec(url);
const headers = file === undefined ? {} : { 'content-type': type };
const request = http.request(origin, { method, path, headers });
request.on('response', async (response) => {
  const { statusCode, statusMessage } = response;
  console.log(`${method} ${path} → ${statusCode} ${statusMessage}`);
  for (const name of ['content-type', 'content-length', 'docker-content-digest', 'location', 'range'])
    if (response.headers[name] !== undefined) console.log(`  ${name}: ${response.headers[name]}`);
  const body = await buffer(response);
  if (body.length > 0)
    console.log(/json/.test(response.headers['content-type']) ? `${body}` : `(${body.length} bytes)`);
});
request.end(file === undefined ? undefined : readFileSync(file));
