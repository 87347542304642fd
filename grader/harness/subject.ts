/**
 * The subject: the one process that learner's code runs in. It loads the bundled module and answers calls.
 * Nothing it says is believed without a look at the kernel, so it needs no defences of its own.
 *
 * It may be started before anyone needs it: it gets ready, and connects as soon as its judge listens.
 *
 * Usage: node --single-threaded --v8-pool-size=0 subject.cjs DIRECTORY ROOTFS-TEMPLATE [FUNCTION]
 * DIRECTORY has the judge's socket `channel`, the files of make-module.ts, and gets the tree `rootfs`. With FUNCTION, it
 * is another process of the same subject: the module is loaded anew, and that function of the driver is called.
 */

import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { makeBuiltinsFast } from './guard.ts';
import { type Exports, loadModule } from './load-module.ts';
import { type Call, decode, encode, LineReader, thrown } from './wire.ts';

function main(directory: string, template: string): void {
  copyTree(template, path.join(directory, 'rootfs'));
  const load = createRequire(path.join(directory, 'module.cjs'));
  // Native code takes its time to load; a module that needs it finds it loaded. One that does not can do without.
  try {
    load('koffi');
  } catch {}
  const builtins = makeBuiltinsFast();
  const watcher = fs.watch(directory, () => connect());
  connect();

  function connect(): void {
    if (!fs.existsSync(path.join(directory, 'channel'))) return;
    watcher.close();
    const socket = net.connect(path.join(directory, 'channel'));
    socket.on('error', () => process.exit(70));
    socket.on('close', () => process.exit(70));
    socket.once('data', () => serve(socket, () => loadModule(directory, builtins)));
  }
}

/** The judge's first line says that the module is there. */
function serve(socket: net.Socket, load: () => { driver: Exports; plank: Exports }): void {
  const say = (message: object) => socket.write(`${JSON.stringify(message)}\n`);
  let planks: { driver: Exports; plank: Exports };
  try {
    planks = load();
  } catch (error) {
    say({ broken: thrown(error) });
    return;
  }
  const lines = new LineReader();
  socket.on('data', (chunk: Buffer) => {
    for (const line of lines.push(chunk)) void answer(JSON.parse(line));
  });
  say({ ready: Object.keys(planks.plank).slice(0, 1000) });

  async function answer({ id, call, args }: Call): Promise<void> {
    try {
      const target = planks.driver[call] ?? planks.plank[call];
      if (typeof target !== 'function')
        throw new Error(`The module exports no function named ${call}. Write it, or give it its name back.`);
      const value = await target(...(decode(args) as unknown[]));
      say({ id, value: encode(value) });
    } catch (error) {
      say({ id, thrown: thrown(error) });
    }
  }
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

const [directory, template, call] = process.argv.slice(2);
if (directory === undefined || template === undefined) {
  process.stderr.write('usage: subject.cjs DIRECTORY ROOTFS-TEMPLATE [FUNCTION]\n');
  process.exit(2);
}
if (call === undefined) main(directory, template);
else (loadModule(directory, makeBuiltinsFast()).driver[call] as () => void)();
