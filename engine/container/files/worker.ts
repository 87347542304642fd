/** The process that works in a container's files, as the daemon sees it. What it does is main.ts. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ContainerError } from '../errors.ts';
import type { FileFailure, FileRequest, Tree } from './request.ts';

export interface Work {
  tree: Tree;
  /** Open descriptors that the tree is made of: 3, 4. */
  descriptors: number[];
  request: FileRequest;
  /** For a request that reads one. */
  input?: Readable;
  /** Ends it. */
  signal?: AbortSignal;
}

export interface Worker {
  /** What it printed on its first line. */
  head: unknown;
  /** What comes after that. Ends with an error if the process does not succeed. */
  body: AsyncIterable<Buffer>;
}

/** Start the work. @throws ContainerError in the words of the process, when it fails before it has printed a line */
export async function startWork(work: Work): Promise<Worker> {
  const { ended, child } = start(work);
  try {
    const { head, rest } = await firstLine(child.stdout);
    if (head === undefined) await ended;
    return { head: JSON.parse(head ?? '{}'), body: bodyOf(child, rest, ended) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Do all of the work. @returns what was printed @throws as `startWork` */
export async function doWork(work: Work): Promise<string> {
  const { ended, child } = start(work);
  const printed: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
  await ended;
  return Buffer.concat(printed).toString();
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function start({ tree, descriptors, request, input, signal }: Work): { child: Child; ended: Promise<void> } {
  const program = path.join(path.dirname(process.argv[1] ?? ''), 'files.cjs');
  const child = spawn(process.execPath, [program, JSON.stringify({ tree, request })], {
    stdio: ['pipe', 'pipe', 'pipe', ...descriptors],
    cwd: '/',
    env: { PATH: process.env.PATH },
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  }) as unknown as Child;
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = `${errors}${text}`.slice(0, 64 * 1024);
  });
  // It may end before it has read everything, and says why.
  const fed = input ? pipeline(input, child.stdin).catch((error) => error as Error) : Promise.resolve(undefined);
  if (!input) child.stdin.on('error', () => {}).end();
  const ended = (async () => {
    const [code] = await once(child, 'close');
    if (code === 0) return;
    const cutOff = await fed;
    throw (
      failureOf(errors) ?? cutOff ?? new ContainerError('failed', `The work in the container's files ended: ${errors}`)
    );
  })();
  ended.catch(() => {});
  return { child, ended };
}

function failureOf(text: string): ContainerError | undefined {
  try {
    const { kind, message } = JSON.parse(text) as FileFailure;
    return new ContainerError(kind, message);
  } catch {
    return undefined;
  }
}

async function firstLine(output: Readable): Promise<{ head: string | undefined; rest: Buffer }> {
  let gathered = Buffer.alloc(0);
  for (;;) {
    const chunk = output.read() as Buffer | null;
    if (chunk === null) {
      if (output.readableEnded) return { head: undefined, rest: gathered };
      await Promise.race([once(output, 'readable'), once(output, 'end')]);
      continue;
    }
    gathered = Buffer.concat([gathered, chunk]);
    const end = gathered.indexOf(10);
    if (end !== -1) return { head: gathered.toString('utf8', 0, end), rest: gathered.subarray(end + 1) };
  }
}

async function* bodyOf(child: Child, rest: Buffer, ended: Promise<void>): AsyncGenerator<Buffer> {
  try {
    if (rest.length > 0) yield rest;
    for await (const chunk of child.stdout) yield chunk as Buffer;
    await ended;
  } finally {
    child.kill('SIGKILL');
  }
}
