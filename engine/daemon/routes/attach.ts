import { emitContainerEvent } from '../../container/engine.ts';
import { readLogs } from '../../container/logs.ts';
import { openStreams } from '../../container/start.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { drained } from '../drained.ts';
import { joinStreams } from '../join-streams.ts';
import { streamType } from '../raw-stream.ts';
import { encodeEntries } from './logs.ts';

/** `POST /containers/{id}/attach`: to a container that runs, or that is about to be started. */
export async function attach(call: Call): Promise<void> {
  const { engine, query } = call;
  // Some clients send the query once more as a body.
  await call.skipBody();
  const container = engine.containers.find(call.parameter('id'));
  const { config, status } = container.record;
  if (status === 'removing' || status === 'dead') throw new ApiError(409, `container ${container.id} is being removed`);
  if (container.restarting)
    throw new ApiError(409, `Container ${container.id} is restarting, wait until the container is running`);
  if (container.paused)
    throw new ApiError(409, `container ${container.id} is paused, unpause the container before attach`);
  const detachKeys = parseDetachKeys(query.text('detachKeys'));
  const wanted = { stdin: query.flag('stdin'), stdout: query.flag('stdout'), stderr: query.flag('stderr') };
  const stdin = wanted.stdin && config.OpenStdin;
  const contentType = streamType(call, config.Tty);

  if (!query.flag('stream')) {
    const client = call.hijack(contentType);
    if (query.flag('logs')) await replay(call, client);
    client.end();
    return;
  }
  if (!container.running) await openStreams(engine, container);
  const streams = await engine.shim.attach({
    role: 'attach',
    key: { container: container.id },
    stdin,
    stdout: wanted.stdout,
    stderr: wanted.stderr,
  });
  const client = call.hijack(contentType);
  emitContainerEvent(engine, container, 'attach');
  if (query.flag('logs')) await replay(call, client);
  await joinStreams(client, streams, { stdin, ...(config.Tty && stdin && { detachKeys }) });

  async function replay({ query }: Call, socket: typeof client): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    const request = {
      stdout: query.flag('stdout'),
      stderr: query.flag('stderr'),
      timestamps: false,
      follow: false,
    };
    for await (const batch of readLogs(container, request, gone.signal))
      if (!socket.write(encodeEntries(batch, config.Tty))) await drained(socket);
  }
}

export function attachWebSocket(): void {
  throw new ApiError(501, 'This engine does not attach over web sockets. POST to /containers/{id}/attach instead.');
}
