import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { Container } from './container.ts';
import { ContainerError } from './errors.ts';
import { openLogFiles } from './log-files.ts';
import { parseTime } from './time.ts';

export interface LogRequest {
  stdout: boolean;
  stderr: boolean;
  /** Nanoseconds since 1970, both inclusive. */
  since?: bigint;
  until?: bigint;
  /** Only the last so many lines; all if absent. */
  tail?: number;
  timestamps: boolean;
  follow: boolean;
}

export interface LogEntry {
  stream: 'stdout' | 'stderr';
  /** With its newline, unless the program wrote none. */
  text: string;
  /** The bytes of `text` where they are not UTF-8. */
  bytes?: Buffer;
}

/** One line of the json-file format. */
interface LogLine {
  log: string;
  stream: 'stdout' | 'stderr';
  time: string;
  /** All of it in base64, where `log` cannot say it. */
  bytes?: string;
}

/**
 * The output of a container in batches, as Docker's json-file log driver kept it. With `follow` it goes on until the
 * container ends or `signal` aborts.
 * @throws ContainerError `unsupported` for a container that keeps no log
 */
export function readLogs(container: Container, request: LogRequest, signal: AbortSignal): AsyncGenerator<LogEntry[]> {
  if (container.record.hostConfig.LogConfig.Type === 'none')
    throw new ContainerError('unsupported', 'configured logging driver does not support reading');
  return read(container, request, signal);
}

async function* read(container: Container, request: LogRequest, signal: AbortSignal): AsyncGenerator<LogEntry[]> {
  const news = new EventEmitter<{ news: [] }>();
  let pending = true;
  const notify = () => {
    pending = true;
    news.emit('news');
  };
  const watcher = request.follow ? watchLog(container.paths.log, notify) : null;
  if (request.follow) container.changes.on('exit', notify).on('removed', notify);
  signal.addEventListener('abort', notify);
  const files = openLogFiles(container.paths.log);
  try {
    if (request.tail !== undefined) await files.seekToTail(request.tail);
    while (!signal.aborted) {
      pending = false;
      // Looked at before the file is: what comes after the end of the container does not come.
      const over = !request.follow || !(container.running || container.restarting);
      for (let batch = await files.next(); batch; batch = await files.next()) {
        const { entries, past } = select(batch, request);
        if (entries.length > 0) yield entries;
        if (past || signal.aborted) return;
      }
      if (over) return;
      if (!pending) await once(news, 'news');
    }
  } finally {
    watcher?.close();
    container.changes.off('exit', notify).off('removed', notify);
    signal.removeEventListener('abort', notify);
    files.close();
  }
}

/** Of its directory, since the file is another one after each rotation. Null when it has gone. */
function watchLog(log: string, notify: () => void): fs.FSWatcher | null {
  try {
    const watcher = fs.watch(path.dirname(log), (_event, name) => {
      if (name === null || name.startsWith(path.basename(log))) notify();
    });
    // A watch that ends, as with its directory, is not a reason to end: the exit is still to come.
    return watcher.on('error', () => {});
  } catch {
    return null;
  }
}

/** Those that were asked for; `past` when the rest is later than what was asked for. */
function select(lines: string[], request: LogRequest): { entries: LogEntry[]; past: boolean } {
  const entries: LogEntry[] = [];
  const bounded = request.since !== undefined || request.until !== undefined;
  for (const line of lines) {
    const parsed = parseLine(line);
    if (!parsed) continue;
    if (bounded) {
      const time = parseTime(parsed.time) ?? 0n;
      if (request.until !== undefined && time > request.until) return { entries, past: true };
      if (request.since !== undefined && time < request.since) continue;
    }
    if (!request[parsed.stream]) continue;
    entries.push(entryOf(parsed, request.timestamps));
  }
  return { entries, past: false };
}

function entryOf({ stream, log, time, bytes }: LogLine, timestamps: boolean): LogEntry {
  const before = timestamps ? `${padTime(time)} ` : '';
  const text = before + log;
  if (typeof bytes !== 'string') return { stream, text };
  return { stream, text, bytes: Buffer.concat([Buffer.from(before), Buffer.from(bytes, 'base64')]) };
}

/** Null for a line that was torn, as when the disk was full. */
function parseLine(line: string): LogLine | null {
  try {
    const parsed = JSON.parse(line) as LogLine;
    return typeof parsed.log === 'string' && (parsed.stream === 'stdout' || parsed.stream === 'stderr') ? parsed : null;
  } catch {
    return null;
  }
}

/** Docker shows all nine decimals, so that columns line up. */
function padTime(time: string): string {
  const [seconds = '', fraction = ''] = time.replace('Z', '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}Z`;
}
