import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { ApiClient } from './api-client.ts';
import { execExitCode } from './exec-end.ts';

let folder: string;
let socket: string;
let server: http.Server;
let answer: http.RequestListener;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-api-'));
  socket = path.join(folder, 'api.sock');
  server = http.createServer((request, response) => answer(request, response)).listen(socket);
  await once(server, 'listening');
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const Document = z.looseObject({ Id: z.string() });
const client = (startDaemon?: () => Promise<boolean>): ApiClient =>
  new ApiClient({ socket, apiVersion: '1.50', ...(startDaemon && { startDaemon }) });

describe('the client', () => {
  test('asks with version, query and JSON, and gives the document back', async () => {
    const seen: string[] = [];
    answer = (request, response) => {
      request.on('data', (chunk) =>
        seen.push(`${request.method} ${request.url} ${request.headers['content-type']} ${chunk}`),
      );
      request.on('end', () => response.end('{"Id":"1","More":2}'));
    };
    const query = { a: 'x y&', b: true, c: undefined, d: 0 };
    expect(await client().json('POST', '/x', Document, { query, body: { é: 1 } })).toEqual({ Id: '1', More: 2 });
    expect(seen).toEqual(['POST /v1.50/x?a=x+y%26&b=true&d=0 application/json {"é":1}']);
  });

  test.each([
    ['{"message":"no such thing"}', 'Error response from daemon: no such thing'],
    ['<html>proxy</html>', 'Error response from daemon: <html>proxy</html>'],
    ['', 'Error response from daemon: the daemon refused without saying why'],
  ])('tells why it was refused: %s', async (body, message) => {
    answer = (_request, response) => response.writeHead(404).end(body);
    await expect(client().text('GET', '/x')).rejects.toMatchObject({ message, status: 404 });
  });

  test.each(['{"Id":5}', 'not json', '[]', ''])('refuses what the API does not describe: %s', async (body) => {
    answer = (_request, response) => response.end(body);
    await expect(client().json('GET', '/x', Document)).rejects.toThrow('is not what the API describes');
  });

  test('says that the connection broke when an answer stops half-way', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('{"Id":', () => response.destroy());
    };
    await expect(client().json('GET', '/x', Document)).rejects.toThrow(`daemon at unix://${socket} broke`);
  });

  test('refuses an answer where it wanted the connection itself', async () => {
    answer = (_request, response) => response.end('no');
    await expect(client().hijack('/x')).rejects.toThrow('answered 200 instead of handing the connection over');
  });

  test('has the daemon started once when nothing listens, and asks again', async () => {
    server.close();
    await once(server, 'close');
    let started = 0;
    const start = async (): Promise<boolean> => {
      started += 1;
      answer = (_request, response) => response.end('up');
      server = http.createServer((request, response) => answer(request, response)).listen(socket);
      await once(server, 'listening');
      return true;
    };
    expect(await client(start).text('GET', '/x')).toBe('up');
    expect(started).toBe(1);
    await expect(new ApiClient({ socket: `${socket}-none`, apiVersion: '1.50' }).text('GET', '/x')).rejects.toThrow(
      `Cannot connect to the skiff daemon at unix://${socket}-none. Is it running?`,
    );
  });
});

test('an exec whose output has ended is waited for by its event, also one that comes between the questions', async () => {
  const asked: string[] = [];
  answer = (request, response) => {
    asked.push(request.url ?? '');
    if (request.url?.includes('/exec/')) return response.end('{"Running":true,"ExitCode":null,"ContainerID":"c"}');
    const event = (id: string, code: number): string =>
      `${JSON.stringify({ Type: 'container', Action: 'exec_die', Actor: { ID: 'c', Attributes: { execID: id, exitCode: `${code}` } }, time: 1, timeNano: 1 })}\n`;
    response.write(event('another', 1) + event('mine', 9));
  };
  expect(await execExitCode(client(), 'mine', 5_500)).toBe(9);
  expect(asked[1]).toContain('since=5&');
});
