/**
 * Install the npm packages when those in node_modules are not the ones of package-lock.json:
 * `node engine/install.mjs`. Touches `.build/installed`, which launch.sh compares with the lock file.
 *
 * All output goes to standard error: standard output belongs to the command that is about to run.
 */

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { oneAtATime } from './one-at-a-time.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, 'node_modules');
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const marker = path.join(root, '.build', 'installed');

try {
  const good = await oneAtATime(path.join(root, '.build', 'install.lock'), async () => {
    const missing = notInstalled();
    if (missing.length === 0 || (fs.existsSync(modules) && isLink(modules))) return true;
    return install(missing);
  });
  if (good) fs.writeFileSync(marker, '');
  else process.exitCode = 1;
} catch (error) {
  if (error.syscall === undefined) throw error;
  console.error(`The npm packages cannot be looked after: ${error.message}. Is ${root} writable for this user?`);
  process.exitCode = 1;
}

/** The packages that package-lock.json asks for and node_modules does not have in that version. */
function notInstalled() {
  const wanted = lockedPackages();
  let present = {};
  try {
    present = JSON.parse(fs.readFileSync(path.join(modules, '.package-lock.json'), 'utf8')).packages ?? {};
  } catch {
    // No npm has been here yet.
  }
  return (
    Object.entries(wanted)
      .filter(([where, entry]) => where !== '' && present[where]?.version !== entry.version)
      // What is optional and absent is made for another platform.
      .filter(([where, entry]) => present[where] !== undefined || !(entry.optional || entry.devOptional))
      .map(([where]) => where.replace(/^.*node_modules\//, ''))
  );
}

function lockedPackages() {
  return JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages ?? {};
}

/**
 * A lock file made where the registry lacks packages for other platforms leaves them out, and `npm ci` refuses such a
 * file; `npm install` takes the versions that are in it all the same.
 */
function npmCommand() {
  const locked = lockedPackages();
  const optional = Object.values(locked).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
  const complete = optional.every((name) => `node_modules/${name}` in locked);
  return complete ? ['ci'] : ['install', '--no-save'];
}

async function install(missing) {
  const first = !fs.existsSync(modules);
  const what = first ? 'the npm packages (about 30 s)' : `${missing.length} npm packages that changed`;
  console.error(`Setting up: installing ${what} into node_modules …`);
  const command = npmCommand();
  const npm = await run('npm', [...command, '--no-audit', '--no-fund', '--loglevel=error']);
  if (npm.status === 0 && notInstalled().length === 0) return true;
  if (npm.error?.code === 'ENOENT') {
    console.error('npm is not installed, and the packages cannot be fetched without it. Install Node.js with npm.');
  } else {
    console.error(
      `npm ${command[0]} did not succeed (exit ${npm.status ?? npm.signal}); its own message is above. ${wayOut(npm.said)} ` +
        'Then run the command again: what npm has fetched so far is kept in its cache.',
    );
  }
  return false;
}

/**
 * Run a program, its output on standard error. Ctrl-C reaches it too, and this process waits until it has ended: the next
 * one would find it still at work in node_modules.
 */
function run(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 2, 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said = (said + chunk).slice(-64_000);
      process.stderr.write(chunk);
    });
    const pass = (signal) => child.kill(signal);
    for (const signal of SIGNALS) process.on(signal, pass);
    const end = (result) => {
      for (const signal of SIGNALS) process.off(signal, pass);
      if (result.signal !== undefined && SIGNALS.includes(result.signal)) process.kill(process.pid, result.signal);
      resolve({ ...result, said });
    };
    child.on('error', (error) => end({ status: null, error }));
    child.on('close', (status, signal) => end({ status, signal }));
  });
}

/** From npm's own code for what went wrong. */
function wayOut(said) {
  if (/ENOSPC/.test(said)) return 'The disk is full: make room.';
  if (/EACCES|EPERM/.test(said)) return 'This user may not write there: use a folder of your own.';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(said))
    return 'The package registry cannot be reached: connect this machine, or look at its proxy settings.';
  return 'Put that right.';
}

function isLink(file) {
  return fs.lstatSync(file).isSymbolicLink();
}
