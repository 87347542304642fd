/**
 * The subject: the one process that learner's code runs in. It loads the bundled module and answers calls.
 * Nothing it says is believed without a look at the kernel, so it needs no defences of its own.
 *
 * Usage: node --single-threaded --v8-pool-size=0 subject.cjs SOCKET MODULE ROOTFS-TEMPLATE ROOTFS
 */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { type Call, decode, encode, LineReader, thrown } from './wire.ts';

type Exports = Record<string, unknown>;

const [, , socketPath, modulePath, template, rootfs] = process.argv;
if (socketPath === undefined || modulePath === undefined)
  throw new Error('usage: subject SOCKET MODULE [TEMPLATE ROOTFS]');

const socket = net.connect(socketPath);
socket.on('error', () => process.exit(70));
socket.on('close', () => process.exit(70));
socket.once('connect', () => {
  if (template !== undefined && rootfs !== undefined) copyTree(template, rootfs);
  serve(modulePath);
});

function serve(file: string): void {
  let planks: { driver: Exports; plank: Exports };
  try {
    planks = createRequire(file)(file);
  } catch (error) {
    say({ broken: thrown(error) });
    return;
  }
  const lines = new LineReader();
  socket.on('data', (chunk) => {
    for (const line of lines.push(chunk)) void answer(JSON.parse(line));
  });
  say({ ready: Object.keys(planks.plank).slice(0, 1000) });

  async function answer({ id, call, args }: Call): Promise<void> {
    try {
      const target = planks.driver[call] ?? planks.plank[call];
      if (typeof target !== 'function') throw new Error(`The module has no exported function named "${call}".`);
      const value = await target(...(decode(args) as unknown[]));
      say({ id, value: encode(value) });
    } catch (error) {
      say({ id, thrown: thrown(error) });
    }
  }
}

function say(message: object): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

/** The tree that containers of this run may change: a copy, since the template is everyone's. */
function copyTree(from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) copyTree(source, target);
    else if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target);
    else fs.copyFileSync(source, target);
  }
}
