import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';

export interface Recorded {
  method: string;
  /** Without the API's version. */
  path: string;
  query: Record<string, string>;
  body: unknown;
}

/** A socket that writes down what clients ask and answers every create as if it had worked. */
export async function startRecorder(): Promise<{ host: string; requests: Recorded[]; stop: () => Promise<void> }> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-recorder-'));
  const requests: Recorded[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://recorder');
    const where = url.pathname.replace(/^\/v[\d.]+/, '');
    response.setHeader('Api-Version', '1.50');
    response.setHeader('OSType', 'linux');
    if (where === '/_ping') return response.end('OK');
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    requests.push({ method: request.method ?? '', path: where, query: Object.fromEntries(url.searchParams), body });
    response.statusCode = 201;
    response.end(JSON.stringify({ Id: 'f'.repeat(64), Warnings: [] }));
  });
  const socket = path.join(directory, 'recorder.sock');
  server.listen(socket);
  await once(server, 'listening');
  return {
    host: `unix://${socket}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
