/** How the judge hands bytes to the plank `store`. What is on the disk afterwards it looks at from outside. */

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Blob, BlobWriter } from '#contract/store';
import { beginBlob, garbage, openLayout, readBlob } from '#store';

/** Write a blob in chunks of so many bytes, and publish it. */
export async function put(
  root: string,
  content: Uint8Array,
  chunk: number,
  expected: Partial<Blob> = {},
): Promise<Blob> {
  const writer = beginBlob(root);
  try {
    for (let at = 0; at < content.length; at += chunk) writer.write(content.subarray(at, at + chunk));
    const blob = writer.finish(expected);
    await writer.publish();
    return blob;
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

const open = new Map<string, BlobWriter>();

/** Begin a blob that stays open between calls. */
export function begin(root: string, name: string): void {
  open.set(name, beginBlob(root));
}

/** @returns the size that the writer says it has. */
export function add(name: string, content: Uint8Array): number {
  open.get(name)!.write(content);
  return open.get(name)!.size;
}

export function finish(name: string, expected?: Partial<Blob>): Blob {
  return expected === undefined ? open.get(name)!.finish() : open.get(name)!.finish(expected);
}

export async function publish(name: string): Promise<void> {
  await open.get(name)!.publish();
}

export function abandon(name: string): void {
  open.get(name)!.abandon();
}

/**
 * Read a blob whose size is known to be small. @returns whether the bytes are those that were expected.
 */
export async function readsAs(root: string, digest: string, most: number, expected: Uint8Array): Promise<boolean> {
  const bytes = await readBlob(root, digest, most);
  if (!(bytes instanceof Uint8Array)) throw new Error('readBlob() should resolve to a Uint8Array.');
  return Buffer.compare(bytes, expected) === 0;
}

// ---- processes of their own ----

/**
 * Another process with the same module, started anew: what a module looks up while it is loaded, such as its pid, is its
 * own there. Each line of its input is a call of one of `itsCalls`, each line of its output an answer.
 */
interface Neighbour {
  child: ChildProcess;
  lines: Interface;
}

const neighbours = new Map<string, Neighbour>();

/** The program of this process, and where it has its module from. */
const [PROGRAM, MODULE, TEMPLATE] = process.argv.slice(1);

/** @param uid whom it runs as; the same as this process if absent. */
export async function startNeighbour(name: string, uid?: number): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, PROGRAM!, MODULE!, TEMPLATE!, 'beNeighbour'], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  child.stdin!.on('error', () => {});
  const neighbour = { child, lines: createInterface({ input: child.stdout! }) };
  neighbours.set(name, neighbour);
  await answerOf(neighbour);
}

/** Call one of `itsCalls` in another process. @throws what was thrown there. */
export async function inNeighbour(name: string, call: keyof typeof itsCalls, ...args: string[]): Promise<unknown> {
  const neighbour = neighbours.get(name)!;
  neighbour.child.stdin!.write(`${JSON.stringify({ call, args })}\n`);
  return await answerOf(neighbour);
}

/** End another process by SIGKILL. @returns when it is gone. */
export async function killNeighbour(name: string): Promise<void> {
  const { child } = neighbours.get(name)!;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

async function answerOf({ child, lines }: Neighbour): Promise<unknown> {
  const line = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', (code, signal) =>
      reject(new Error(`A process that uses your module ended: ${signal ?? code}.`)),
    );
  });
  const { value, error } = JSON.parse(line) as { value?: unknown; error?: { name: string; message: string } };
  if (error !== undefined) throw Object.assign(new Error(error.message), { name: error.name });
  return value;
}

let its: BlobWriter | undefined;

const itsCalls = {
  openLayout: (root: string) => openLayout(root),
  begin: (root: string) => {
    its = beginBlob(root);
  },
  /** @param content Base64. */
  add: (content: string) => its!.write(Buffer.from(content, 'base64')),
  end: async () => {
    const blob = its!.finish();
    await its!.publish();
    return blob;
  },
};

/** What the other process does, until its input ends. */
export async function beNeighbour(): Promise<void> {
  const say = (answer: object) => fs.writeSync(1, `${JSON.stringify(answer)}\n`);
  say({});
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const { call, args } = JSON.parse(line) as { call: keyof typeof itsCalls; args: string[] };
      say({ value: await (itsCalls[call] as (...args: string[]) => unknown)(...args) });
    } catch (error) {
      const { name, message } = error as Error;
      say({ error: { name, message } });
    }
  }
  process.exit();
}

// ---- the disk ----

/** A layout that no plank has made, for `readBlob` alone. */
export function makeStore(root: string): void {
  fs.mkdirSync(`${root}/blobs/sha256`, { recursive: true });
  fs.writeFileSync(`${root}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
}

/** @param file a path below `root`. */
export function writeFile(root: string, file: string, content: Uint8Array): void {
  fs.mkdirSync(path.dirname(`${root}/${file}`), { recursive: true });
  fs.writeFileSync(`${root}/${file}`, content);
}

/** Others than the owner may read and write. */
export function openToAll(root: string): void {
  fs.chmodSync(root, fs.statSync(root).isDirectory() ? 0o777 : 0o666);
  if (fs.statSync(root).isDirectory()) for (const name of fs.readdirSync(root)) openToAll(`${root}/${name}`);
}

/** What a bad disk does. @param at the byte that is flipped, or the size that it is cut to or grows to. */
export function damage(file: string, how: 'flip' | 'size', at: number): void {
  if (how === 'size') {
    fs.truncateSync(file, at);
    return;
  }
  const bytes = fs.readFileSync(file);
  bytes[at]! ^= 1;
  fs.writeFileSync(file, bytes);
}

/** Of each document, on average: who asks more often has no end in sight where documents name each other many times. */
const MOST_READS = 20;

/** @param documents digest → text. One that is not there cannot be read. */
export function garbageOf(present: string[], roots: string[], documents: Record<string, string>): string[] {
  const count = Object.keys(documents).length;
  let reads = 0;
  return garbage(present, roots, (digest) => {
    if (++reads > MOST_READS * (count + 1))
      throw new Error(`read() was called ${reads} times for ${count} documents: follow each of them once.`);
    const text = documents[digest];
    if (text === undefined) throw new Error(`${digest} cannot be read.`);
    return Buffer.from(text);
  });
}
