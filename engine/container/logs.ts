import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Container } from './container.ts';
import { ContainerError } from './errors.ts';
import { lastLinesStart } from './last-lines.ts';
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
}

/** One line of the json-file format. */
interface LogLine {
  log: string;
  stream: 'stdout' | 'stderr';
  time: string;
}

const CHUNK = 256 * 1024;

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
  const file = await openLog(container, request.follow);
  if (!file) return;
  const news = new EventEmitter<{ news: [] }>();
  let pending = true;
  const notify = () => {
    pending = true;
    news.emit('news');
  };
  const watcher = request.follow ? fs.watch(container.paths.log, notify) : null;
  // A watch that ends, as with its file, is no reason to end: the exit is still to come.
  watcher?.on('error', () => {});
  if (request.follow) container.changes.on('exit', notify).on('removed', notify);
  signal.addEventListener('abort', notify);
  try {
    const start = request.tail === undefined ? 0 : await lastLinesStart(file, request.tail);
    const lines = new LineReader(file, start);
    while (!signal.aborted) {
      pending = false;
      // Looked at before the file is: what comes after the end of the container does not come.
      const over = !request.follow || !container.running;
      for (let batch = await lines.next(); batch; batch = await lines.next()) {
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
    await file.close();
  }
}

async function openLog(container: Container, make: boolean): Promise<FileHandle | null> {
  try {
    return await open(container.paths.log, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    if (!make || !container.running) return null;
    return await open(container.paths.log, 'a+', 0o600);
  }
}

/** Reads whole lines from a file that grows. */
class LineReader {
  readonly #file: FileHandle;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);
  readonly #buffer = Buffer.allocUnsafe(CHUNK);

  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /** The lines of the next piece of the file; null at its present end. */
  async next(): Promise<string[] | null> {
    const { bytesRead } = await this.#file.read(this.#buffer, 0, CHUNK, this.#position);
    if (bytesRead === 0) return null;
    this.#position += bytesRead;
    const data = Buffer.concat([this.#rest, this.#buffer.subarray(0, bytesRead)]);
    const end = data.lastIndexOf(10) + 1;
    this.#rest = Buffer.from(data.subarray(end));
    return data.toString('utf8', 0, end).split('\n').filter(Boolean);
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
    entries.push({
      stream: parsed.stream,
      text: request.timestamps ? `${padTime(parsed.time)} ${parsed.log}` : parsed.log,
    });
  }
  return { entries, past: false };
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
