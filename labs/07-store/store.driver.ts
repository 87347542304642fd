/** How the judge hands bytes to the plank `store`. What is on the disk afterwards it looks at from outside. */

import './testing/watch-disk.ts';

import fs from 'node:fs';
import type { Blob, BlobWriter } from '#contract/store';
import { fork } from '#kernel/fork';
import { kill } from '#kernel/signals';
import { wait } from '#process';
import { beginBlob, garbage, openLayout } from '#store';
import { whatIsAsked } from './testing/watch-disk.ts';

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

export function add(name: string, content: Uint8Array): number {
  open.get(name)!.write(content);
  return open.get(name)!.size;
}

export async function end(name: string): Promise<Blob> {
  const blob = open.get(name)!.finish();
  await open.get(name)!.publish();
  return blob;
}

export function abandon(name: string): void {
  open.get(name)!.abandon();
}

const SIGKILL = 9;

/** A process of its own writes half a blob, and is killed in the middle of it. */
export function writeAndDie(root: string, content: Uint8Array): { signal: string | null } {
  const pid = fork(() => {
    // Node has looked up its pid before the fork.
    const pid = Number(fs.readlinkSync('/proc/self'));
    Object.defineProperty(process, 'pid', { value: pid });
    beginBlob(root).write(content);
    kill(pid, SIGKILL);
    throw new Error('not reached');
  });
  return { signal: wait(pid).signal };
}

/** The same as `openLayout`, for the judge to see that it can be done again. */
export function openTwice(root: string): void {
  openLayout(root);
  openLayout(root);
}

/** What a blob's way into the store asks of the disk. */
export function orderOf(root: string, content: Uint8Array): Promise<string[]> {
  return whatIsAsked(() => put(root, content, 1000));
}

/** A directory that says it is a layout. */
export function makeLayout(root: string, marker: string): void {
  fs.mkdirSync(root);
  fs.writeFileSync(`${root}/oci-layout`, marker);
}

export function writeIndex(root: string, text: string): void {
  fs.writeFileSync(`${root}/index.json`, text);
}

const HUGE = 40 * 1024 ** 3;

/** What a bad disk does. */
export function damage(file: string, how: 'flip' | 'cut' | 'grow' | 'huge'): void {
  const bytes = fs.readFileSync(file);
  if (how === 'flip') bytes[bytes.length >> 1]! ^= 1;
  if (how === 'huge') fs.truncateSync(file, HUGE);
  else if (how === 'grow') fs.appendFileSync(file, 'x');
  else fs.writeFileSync(file, how === 'cut' ? bytes.subarray(1) : bytes);
}

/** @param documents digest → text. One that is not there cannot be read. */
export function garbageOf(present: string[], roots: string[], documents: Record<string, string>): string[] {
  return garbage(present, roots, (digest) => {
    const text = documents[digest];
    if (text === undefined) throw new Error(`${digest} cannot be read.`);
    return Buffer.from(text);
  });
}
