/**
 * The stock docker client, for the tests that drive the engine with it. Debian ships it in one package with a daemon
 * that would start at once, so where it is missing the package is unpacked instead of installed.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { which } from '../vm/tools.ts';
import { stateFolder } from './home.ts';
import { say } from './terminal.ts';

const folder = path.join(stateFolder, 'tools');

/** Newer releases have the client alone. */
const PACKAGES = ['docker-cli', 'docker.io'];

/** Put a docker client into PATH for this process and its children, if there is or can be one. Never fails. */
export function provideDockerClient({ install }: { install: boolean }): void {
  if (which('docker') !== undefined) return;
  const client = path.join(folder, 'docker');
  if (!fs.existsSync(client) && !(install && which('apt-get') !== undefined && unpack(client))) {
    say('There is no docker client, so the tests that use one are skipped. See: ./workshop doctor\n');
    return;
  }
  process.env.PATH = `${process.env.PATH}${path.delimiter}${folder}`;
}

function unpack(client: string): boolean {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'workshop-'));
  // apt gives up root to download, to a user who must be able to write here.
  fs.chmodSync(scratch, 0o777);
  const run = (program: string, ...args: string[]) =>
    spawnSync(program, args, { cwd: scratch, stdio: ['ignore', 'ignore', 'ignore'] }).status === 0;
  try {
    for (const name of PACKAGES) {
      if (!run('apt-get', '-q', 'download', name)) continue;
      const archive = fs.readdirSync(scratch).find((file) => file.endsWith('.deb'));
      if (archive === undefined || !run('dpkg-deb', '-x', archive, 'unpacked')) continue;
      const unpacked = path.join(scratch, 'unpacked', 'usr', 'bin', 'docker');
      if (!fs.existsSync(unpacked)) continue;
      fs.mkdirSync(folder, { recursive: true });
      fs.copyFileSync(unpacked, client);
      say(
        `The docker client is unpacked from the package ${name} into .workshop/tools, for the tests; no daemon comes with it.\n`,
      );
      return true;
    }
    return false;
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}
