import { type LogEntry, readLogs } from '../../container/logs.ts';
import { ApiError } from '../api-error.ts';
import type { Call } from '../call.ts';
import { drained } from '../drained.ts';
import { frame, streamType } from '../raw-stream.ts';

/** `GET /containers/{id}/logs` */
export async function logs(call: Call): Promise<void> {
  const container = call.engine.containers.find(call.parameter('id'));
  const { query } = call;
  const tail = query.text('tail');
  const stdout = query.flag('stdout');
  const stderr = query.flag('stderr');
  if (!stdout && !stderr) throw new ApiError(400, 'Bad parameters: you must choose at least one stream');
  const tty = container.record.config.Tty;
  const batches = readLogs(
    container,
    {
      stdout,
      stderr,
      since: query.time('since'),
      until: query.time('until'),
      // As with Docker, whatever is not a number is all of it.
      tail: /^\d{1,9}$/.test(tail) ? Number(tail) : undefined,
      timestamps: query.flag('timestamps'),
      details: query.flag('details'),
      follow: query.flag('follow'),
    },
    call.signal,
  );
  const response = call.stream(streamType(call, tty));
  for await (const batch of batches) {
    if (!response.write(encodeEntries(batch, tty))) await drained(response);
  }
  response.end();
}

export function encodeEntries(batch: LogEntry[], tty: boolean): Buffer {
  return Buffer.concat(
    batch.map(({ stream, text, bytes = Buffer.from(text) }) => (tty ? bytes : frame(stream, bytes))),
  );
}
