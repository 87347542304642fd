/**
 * Loaded before the bundle of a daemon or a shim, so that a test can stop it at any step: before each call that changes
 * something outside the process. A step's actor is `daemon`, `shim`, or `child`: the shim's, on its way to its program.
 *
 * The bundle's directory holds what the test says and hears:
 * `plan` 64 bytes, "SEQUENCE ACTOR INDEX": where to stop; INDEX −1 writes every step down instead;
 * `steps` where they are written down, one "ACTOR NAME" a line;
 * `reached` and `go` FIFOs: one byte says that the step is reached, one byte lets it go on.
 */

'use strict';

const fs = require('node:fs');
const koffi = require('koffi');
const { Socket } = require('node:net');
const path = require('node:path');

const directory = path.dirname(process.argv[1]);
const { openSync, readSync, writeSync } = fs;
const plan = openSync(path.join(directory, 'plan'), 'r');
const steps = openSync(path.join(directory, 'steps'), 'a');
// Open for both, so that neither opening nor a test that has gone makes anybody wait or fail.
const reached = openSync(path.join(directory, 'reached'), 'r+');
const go = openSync(path.join(directory, 'go'), 'r+');

const CLONE3 = 435;
let actor = path.basename(process.argv[1]).replace('.cjs', '');
let sequence = '';
let count = 0;

function step(name) {
  const bytes = Buffer.alloc(64);
  readSync(plan, bytes, 0, 64, 0);
  const [newSequence, wanted, index] = bytes.toString('latin1').trim().split(' ');
  if (newSequence !== sequence) {
    sequence = newSequence;
    count = 0;
  }
  const here = count++;
  if (index === '-1') writeSync(steps, `${actor} ${name}\n`);
  else if (wanted === actor && index === String(here)) {
    writeSync(reached, '.');
    readSync(go, Buffer.alloc(1), 0, 1, null);
  }
}

/** Calls that change nothing, or nothing outside the process. */
const QUIET = new Set([
  ...['read', 'poll', 'close', 'fcntl', 'signal', 'pthread_sigmask', 'madvise', 'umask', 'getcwd', 'lseek', 'capget'],
  ...['prlimit64', 'ioctl', 'lgetxattr', 'llistxattr', 'pidfd_open', 'open', 'openat2', 'pipe2', 'dup', 'dup2', 'dup3'],
  ...['close_range', 'chdir', 'fchdir'],
]);
const NUMBERS = { 424: 'pidfd_send_signal', 428: 'open_tree', 434: 'pidfd_open', 435: 'clone3', 436: 'close_range' };
Object.assign(NUMBERS, { 429: 'move_mount', 437: 'openat2', 438: 'pidfd_getfd', 442: 'mount_setattr' });

const load = koffi.load;
koffi.load = (...names) => {
  const library = load(...names);
  return {
    func(prototype) {
      const call = library.func(prototype);
      const own = /(\w+)\s*\(/.exec(prototype)[1];
      return (...args) => {
        const name = own === 'syscall' ? (NUMBERS[args[0]] ?? `syscall ${args[0]}`) : own;
        if (!QUIET.has(name)) step(name);
        const result = call(...args);
        if (own === 'syscall' && args[0] === CLONE3 && Number(result) === 0) {
          actor = 'child';
          count = 0;
        }
        return result;
      };
    },
  };
};

const FILES = ['mkdir', 'writeFile', 'appendFile', 'write', 'rename', 'rm', 'rmdir', 'unlink', 'symlink', 'link'];
for (const name of [...FILES, 'chmod', 'lchown', 'fchown', 'chown', 'copyFile', 'ftruncate']) before(fs, `${name}Sync`);
for (const name of ['fdatasync', 'fsync']) before(fs, name);
for (const name of ['rename', 'unlink', 'rmdir', 'rm', 'mkdir', 'writeFile']) before(fs.promises, name);
before(fs, 'openSync', ([, flags]) => typeof flags === 'string' && /[wa]/.test(flags));
before(Socket.prototype, 'write');

function before(object, name, changes = () => true) {
  const call = object[name];
  object[name] = function (...args) {
    if (changes(args)) step(name);
    return call.apply(this, args);
  };
}
