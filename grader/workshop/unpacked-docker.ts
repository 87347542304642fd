/**
 * Docker's own programs and Debian's registry, for the tests that drive our engine with a client of theirs and compare
 * ours with their servers. Debian ships them with a service that would start at once, so where they are missing the
 * packages are unpacked instead of installed.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { unpackedTools, useUnpackedTools } from '../harness/unpacked-tools.ts';
import { which } from '../vm/tools.ts';
import { say } from './terminal.ts';

interface Part {
  /** Must all be there. */
  programs: string[];
  /** Debian packages, the first that has a program wins: newer releases have the client alone. */
  packages: string[];
  /** Completes "Without it …". */
  without: string;
}

const PARTS: Part[] = [
  { programs: ['docker'], packages: ['docker-cli', 'docker.io'], without: 'the tests that use its client are skipped' },
  {
    programs: ['dockerd', 'docker-proxy', 'containerd', 'containerd-shim-runc-v2'],
    packages: ['docker.io', 'containerd'],
    without: 'the tests and measurements beside its daemon are skipped',
  },
  {
    programs: ['docker-registry'],
    packages: ['docker-registry'],
    without: 'the tests beside that registry are skipped',
  },
];

/** Put these programs into PATH for this process and its children, where there are or can be any. Never fails. */
export function provideDocker({ install }: { install: boolean }): void {
  useUnpackedTools();
  for (const { programs, packages, without } of PARTS) {
    const missing = programs.filter((program) => which(program) === undefined);
    if (missing.length === 0) continue;
    if (install && aptIsThere()) unpack(packages, missing);
    if (missing.some((program) => which(program) === undefined))
      say(`There is no ${missing[0]} here. Without it ${without}.\n`);
  }
}

function aptIsThere(): boolean {
  return which('apt-get') !== undefined && which('dpkg-deb') !== undefined;
}

function unpack(packages: string[], missing: string[]): void {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'workshop-'));
  // apt gives up root to download, to a user who must be able to write here.
  fs.chmodSync(scratch, 0o777);
  const run = (program: string, ...args: string[]) =>
    spawnSync(program, args, { cwd: scratch, stdio: ['ignore', 'ignore', 'ignore'] }).status === 0;
  const got = new Set<string>();
  try {
    for (const name of packages) {
      const wanted = missing.filter((program) => !got.has(program));
      if (wanted.length === 0 || !run('apt-get', '-q', 'download', name)) continue;
      const archive = fs.readdirSync(scratch).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
      if (archive === undefined || !run('dpkg-deb', '-x', archive, name)) continue;
      for (const program of wanted) if (take(path.join(scratch, name), program)) got.add(program);
    }
    if (got.size > 0)
      say(`Unpacked into .workshop/tools for the tests (nothing is installed or started): ${[...got].join(', ')}.\n`);
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function take(unpacked: string, program: string): boolean {
  const found = ['usr/bin', 'usr/sbin']
    .map((place) => path.join(unpacked, place, program))
    .find((file) => fs.existsSync(file));
  if (found === undefined) return false;
  fs.mkdirSync(unpackedTools, { recursive: true });
  fs.copyFileSync(found, path.join(unpackedTools, program));
  return true;
}
