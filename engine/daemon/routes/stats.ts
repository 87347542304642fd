import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container } from '../../container/container.ts';
import { type Snapshot, takeSnapshot } from '../../container/stats.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { statsView } from '../views/stats.ts';

/** Milliseconds from one moment to the next. */
const INTERVAL = 1000;

/**
 * `GET /containers/{id}/stats`: a document a second until the container is removed or the client goes. With
 * `stream=false` one, of two moments a second apart, so that it has a percentage in it; with `one-shot` of one moment.
 */
export async function stats(call: Call): Promise<void> {
  const container = call.engine.containers.find(call.parameter('id'));
  const isStream = call.query.text('stream') === '' || call.query.flag('stream');
  const isOneShot = call.query.flag('one-shot');
  if (isStream && isOneShot) throw new ApiError(400, 'cannot have stream=true and one-shot=true');
  const first = takeSnapshot(call.engine, container);
  if (isStream) return await follow(call, container, first);
  if (first === null || isOneShot) return call.send(200, statsView(container, first, null));
  if (!(await pause(call.signal))) return;
  call.send(200, statsView(container, takeSnapshot(call.engine, container), first));
}

async function follow(call: Call, container: Container, first: Snapshot | null): Promise<void> {
  const response = call.stream('application/json');
  const over = new AbortController();
  const end = () => over.abort();
  container.changes.once('removed', end);
  call.signal.addEventListener('abort', end);
  try {
    let before: Snapshot | null = null;
    for (let snapshot = first; ; snapshot = takeSnapshot(call.engine, container)) {
      send(response, statsView(container, snapshot, before));
      before = snapshot;
      if (!(await pause(over.signal))) break;
    }
  } finally {
    container.changes.off('removed', end);
    response.end();
  }
}

/** A client that does not read misses moments, and finds the newest when it does. */
function send(response: ServerResponse, document: object): void {
  if (!response.writableNeedDrain) response.write(`${JSON.stringify(document)}\n`);
}

/** @returns false when `signal` came first, with no timer left */
function pause(signal: AbortSignal): Promise<boolean> {
  return delay(INTERVAL, true, { signal, ref: false }).catch(() => false);
}
