/**
 * Install the npm packages when those in node_modules are not the ones of package-lock.json:
 * `node engine/install.mjs`. Touches `.build/installed`, which launch.sh compares with the lock file.
 *
 * All output goes to standard error: standard output belongs to the command that is about to run.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { oneAtATime } from './one-at-a-time.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, 'node_modules');
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

function install(missing) {
  const first = !fs.existsSync(modules);
  const what = first ? 'the npm packages (about 30 s)' : `${missing.length} npm packages that changed`;
  console.error(`Setting up: installing ${what} into node_modules …`);
  const command = npmCommand();
  const npm = spawnSync('npm', [...command, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (npm.status === 0 && notInstalled().length === 0) return true;
  if (npm.error?.code === 'ENOENT') {
    console.error('npm is not installed, and the packages cannot be fetched without it. Install Node.js with npm.');
  } else {
    console.error(
      `npm ${command[0]} did not succeed (exit ${npm.status ?? npm.signal}); its own message is above. If this machine is offline, ` +
        'connect it and run the command again: what npm has fetched so far is kept in its cache.',
    );
  }
  return false;
}

function isLink(file) {
  return fs.lstatSync(file).isSymbolicLink();
}
