/** Documents from outside: a config.json, a process for exec, new limits. */

import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { RuntimeError } from './error.ts';

/** Podman's own come to 30 KiB, nearly all of it the system-call policy. */
const LARGEST_DOCUMENT = 16 << 20;

/**
 * Read a JSON document from a file. Numbers beyond 2⁵³, which would lose digits, come as strings of digits; null is as
 * absent, as Go's encoders mean it.
 * @throws RuntimeError for what is not a regular file, larger than 16 MiB, or no JSON.
 */
export function readDocument(path: string): unknown {
  return parseDocument(readBounded(path), path);
}

/** The same for a path from the command line, which may lead to a pipe that the caller has open, e.g. /dev/fd/63. */
export function readGiven(path: string): unknown {
  return parseDocument(readStream(openDescriptor(path) ?? path, path), path);
}

/** The descriptor that a path like /dev/fd/63 names: behind it may be a socket, which cannot be opened once more. */
export function openDescriptor(path: string): number | undefined {
  const number = /^\/(?:dev|proc\/self)\/fd\/(\d{1,6})$/.exec(path)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** @throws RuntimeError for more than 16 MiB */
export function readStandardInput(): string {
  return readStream(0, 'standard input');
}

function readStream(source: string | number, name: string): string {
  let fd: number;
  try {
    fd = typeof source === 'number' ? source : openSync(source, constants.O_RDONLY | constants.O_NOCTTY);
  } catch (error) {
    throw new RuntimeError(`${name} cannot be read: ${(error as Error).message}`);
  }
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; ; ) {
      const chunk = Buffer.alloc(64 * 1024);
      const count = readSync(fd, chunk);
      if (count === 0) return Buffer.concat(chunks).toString('utf8');
      total += count;
      if (total > LARGEST_DOCUMENT) throw new RuntimeError(`${name} has more than ${LARGEST_DOCUMENT} bytes.`);
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    if (fd !== source) closeSync(fd);
  }
}

/** @param name what the document is called in errors. */
export function parseDocument(text: string, name: string): unknown {
  const exact = text.replace(/"(?:[^"\\]|\\.)*"|\d{16,}/g, (match) => (match[0] === '"' ? match : `"${match}"`));
  try {
    return JSON.parse(exact, (_, value: unknown) => (value === null ? undefined : value));
  } catch (error) {
    throw new RuntimeError(`${name} is not JSON: ${(error as Error).message}`);
  }
}

function readBounded(path: string): string {
  let fd: number;
  try {
    // Not to wait for a writer of a FIFO of that name.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw new RuntimeError(`${path} cannot be read: ${(error as Error).message}`);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new RuntimeError(`${path} is not a regular file.`);
    if (stat.size > LARGEST_DOCUMENT)
      throw new RuntimeError(`${path} has ${stat.size} bytes; at most ${LARGEST_DOCUMENT} are read.`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
