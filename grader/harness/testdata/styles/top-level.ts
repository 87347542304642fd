// What modules do outside of their functions: imports of every kind, promisified functions, constants, additions.
import fsDefault, * as fsAll from 'node:fs';
import { Buffer as NodeBuffer } from 'node:buffer';
import childProcess, { exec, execFile } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import * as promises from 'node:fs/promises';
import { createRequire, builtinModules } from 'node:module';
import os from 'os';
import * as path from 'path';
import process from 'node:process';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import util, { inherits, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const [readFile, run, runFile, fsync] = [promisify(fsDefault.readFile), promisify(exec), promisify(execFile), promisify(fsAll.fsync)];
const copied = { ...fsAll, ...promises, ...path };
const bound = fsDefault.readFileSync.bind(fsDefault);
const loaded = createRequire(import.meta.url ?? '/')('node:os');
Error.stackTraceLimit = 30;
(BigInt.prototype as unknown as { toJSON(): string }).toJSON = function (this: bigint) {
  return String(this);
};
(Map.prototype as unknown as { getOr(key: unknown, other: unknown): unknown }).getOr ??= function (this: Map<unknown, unknown>, key: unknown, other: unknown) {
  return this.get(key) ?? other;
};
(Promise as unknown as { withResolvers: unknown }).withResolvers ??= () => {
  let [resolve, reject]: unknown[] = [];
  return { promise: new Promise((one, other) => ([resolve, reject] = [one, other])), resolve, reject };
};
(globalThis as unknown as { answers: Map<string, number> }).answers = new Map();
process.env.STYLE = 'plain';
process.on('warning', () => {});
process.umask(process.umask());

const work = new EventEmitter();
work.on('done', () => {});
work.emit = new Proxy(work.emit, {});
const upper = new Transform({ transform: (chunk, _, done) => done(null, String(chunk).toUpperCase()) });
upper.toString = () => 'upper';
if (JSON.stringify({ size: 1n }) !== '{"size":"1"}') throw new Error('toJSON');
if (loaded.EOL !== os.EOL || !builtinModules.includes('fs') || !copied.join || !bound) throw new Error('imports');
void [readFile, run, runFile, fsync, pipeline, delay, once, inherits, util.inspect({}), gzipSync(''), childProcess.spawn, NodeBuffer.from('')];
