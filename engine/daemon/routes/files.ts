import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { emitContainerEvent } from '../../container/engine.ts';
import {
  changesInContainer,
  exportContainer,
  readFromContainer,
  statInContainer,
  writeIntoContainer,
} from '../../container/files/files.ts';
import type { PathStat } from '../../container/files/request.ts';
import { compressionOf, decompress, HEAD } from '../../image/compression.ts';
import { peek } from '../../image/head-stream.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';

const KINDS = { changed: 0, added: 1, deleted: 2 } as const;
const STAT_HEADER = 'X-Docker-Container-Path-Stat';

function findContainer(call: Call) {
  return call.engine.containers.find(call.parameter('id'));
}

/** `GET /containers/{id}/changes`: null when there are none, as Go has it. */
export async function containerChanges(call: Call): Promise<void> {
  const changes = await changesInContainer(call.engine, findContainer(call));
  call.send(200, changes.length === 0 ? null : changes.map(({ path, kind }) => ({ Path: path, Kind: KINDS[kind] })));
}

/** `GET /containers/{id}/export` */
export async function exportContainerRoute(call: Call): Promise<void> {
  const container = findContainer(call);
  await exportContainer(call.engine, container, async (archive) => {
    emitContainerEvent(call.engine, container, 'export');
    await sendArchive(call, archive, 'application/octet-stream');
  });
}

/** `HEAD /containers/{id}/archive` */
export async function statArchive(call: Call): Promise<void> {
  const stat = await statInContainer(call.engine, findContainer(call), pathOf(call));
  call.response.setHeader(STAT_HEADER, encode(stat));
  call.sendNothing(200);
}

/** `GET /containers/{id}/archive` */
export async function getArchive(call: Call): Promise<void> {
  const container = findContainer(call);
  const path = pathOf(call);
  await readFromContainer(call.engine, container, path, async (stat, archive) => {
    call.response.setHeader(STAT_HEADER, encode(stat));
    emitContainerEvent(call.engine, container, 'archive-path');
    await sendArchive(call, archive, 'application/x-tar');
  });
}

/** `PUT /containers/{id}/archive` */
export async function putArchive(call: Call): Promise<void> {
  const { engine, query } = call;
  const container = findContainer(call);
  const owner = container.record.config.User;
  const archive = await uncompressed(call.bodyStream());
  await writeIntoContainer(engine, container, pathOf(call), archive, {
    keepKinds: query.flag('noOverwriteDirNonDir'),
    ...(query.flag('copyUIDGID') && owner !== '' && { owner }),
  });
  emitContainerEvent(engine, container, 'extract-to-dir');
  call.sendNothing(200);
}

function pathOf({ query }: Call): string {
  const path = query.text('path');
  if (path === '') throw new ApiError(400, 'bad parameter: path cannot be empty');
  return path;
}

function encode(stat: PathStat): string {
  return Buffer.from(JSON.stringify(stat)).toString('base64');
}

/** A failure in the middle breaks the connection off, which is how a client notices. */
async function sendArchive({ response, signal }: Call, archive: AsyncIterable<Buffer>, type: string): Promise<void> {
  response.writeHead(200, { 'Content-Type': type });
  await pipeline(archive, response, { signal }).catch(() => response.destroy());
}

/** Its first bytes tell how it is packed. */
async function uncompressed(body: Readable): Promise<Readable> {
  const { head, whole } = await peek(body, HEAD);
  return decompress(whole, compressionOf(head));
}
