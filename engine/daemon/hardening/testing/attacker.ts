/** Root of a container with a C library at hand: the host's Node and koffi, shown read-only, call what no shell can. */

import fs from 'node:fs';
import path from 'node:path';
import type { Ran, TestDaemon } from '../../testing/test-daemon.ts';

/** What the host's Node needs to load. An image may bring that itself; the mounts only save building one. */
const libraries = ['/usr', '/lib', '/lib64'].filter((directory) => fs.existsSync(directory));
const show = (source: string, target: string) => ['-v', `${source}:${target}:ro`];

/** For `docker run`. */
export const withNode = [
  ...libraries.flatMap((directory) => show(directory, directory)),
  ...show(process.execPath, '/attack/node'),
  ...show(path.resolve('node_modules'), '/attack/node_modules'),
];

/**
 * What every attack starts with. `call(NR, …)` is syscall(2) and answers the name of its errno, or `ok`; strings and
 * buffers are passed by address. `tried(ACT)` answers the code of what Node's own functions throw, or `ok`.
 */
const prelude = `
const fs = require('node:fs');
const koffi = require('/attack/node_modules/koffi');
const names = Object.fromEntries(Object.entries(require('node:os').constants.errno).map(([name, number]) => [number, name]));
const libc = koffi.load('libc.so.6');
const raw = libc.func('long syscall(long, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t)');
const arm = process.arch === 'arm64';
const nr = (x86, arm64) => (arm ? arm64 : x86);
let last = -1;
const call = (number, ...args) => {
  const words = args.map((arg) => {
    if (typeof arg === 'string') arg = Buffer.from(arg + '\\0');
    return Buffer.isBuffer(arg) ? koffi.address(arg) : BigInt.asUintN(64, BigInt(arg));
  });
  while (words.length < 6) words.push(0n);
  last = Number(raw(number, ...words));
  return last < 0 ? (names[koffi.errno()] ?? String(koffi.errno())) : 'ok';
};
const tried = (act) => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return error.code ?? String(error);
  }
};
const opened = (file, flags) => tried(() => fs.closeSync(fs.openSync(file, flags)));
const answers = {};
`;

/** Runs `script` in a container; what it puts into `answers` is what this answers. */
export async function attack<T = Record<string, string>>(
  daemon: TestDaemon,
  script: string,
  ...options: string[]
): Promise<T> {
  const source = `${prelude}\n${script}\nconsole.log(JSON.stringify(answers));`;
  const ran: Ran = await daemon.docker(
    ...['run', '--rm', ...withNode, ...options, 'hostbox', '/attack/node', '--single-threaded', '-e', source],
  );
  if (ran.code !== 0) throw new Error(`the attack itself failed: ${JSON.stringify(ran)}`);
  // A terminal echoes what was typed before.
  return JSON.parse(ran.stdout.slice(ran.stdout.indexOf('{'))) as T;
}
