/** The programs of a hostbox: busybox where the host has one, else the shell, the coreutils and what goes with them. */

import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { librariesOf, linkageOf } from './elf.ts';
import { merged } from './hostbox-skeleton.ts';

const run = promisify(execFile);

export interface Programs {
  /** E.g. `busybox`: for the image's history. */
  description: string;
  /** Path in the image → the host's file. */
  files: Map<string, string>;
  /** Path in the image → the symbolic link's target. */
  links: Map<string, string>;
}

export type HostboxVariant = 'busybox' | 'coreutils';

/** A host that has neither busybox nor the programs of a minimal system. */
export class HostboxImpossible extends Error {
  readonly code = 'HOSTBOX_IMPOSSIBLE';
  override readonly name = 'HostboxImpossible';
}

const DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];

/** Without these a container is of no use. */
const ESSENTIAL = ['sh', 'cat', 'echo', 'ls', 'sleep', 'true'];

/** Taken where the host has them. */
const USUAL = `
  [ arch awk base64 basename bash chgrp chmod chown chroot cksum clear comm cp cut date dd df diff dir dirname dmesg du
  egrep env expand expr factor false fgrep find fold free getent grep groups gunzip gzip head hostname id install ip
  join kill killall less link ln logname lsns mkdir mkfifo mknod mktemp more mount mountpoint mv nice nl nohup nproc
  nsenter numfmt od paste pgrep ping pkill printenv printf ps pstree pwd readlink realpath rev rm rmdir sed seq
  setpriv setsid sha256sum shred shuf sort split ss stat stdbuf stty sync sysctl tac tail tar taskset tee test
  timeout top touch tr truncate tty umount uname unexpand uniq unlink unshare uptime users w wc which who whoami
  xargs xxd yes zcat`
  .trim()
  .split(/\s+/);

/** How these programs draw on a terminal. terminfo(5); busybox needs none. */
const TERMINALS = [
  'dumb',
  'linux',
  'screen',
  'screen-256color',
  'tmux',
  'tmux-256color',
  'vt100',
  'xterm',
  'xterm-256color',
];
const TERMINFO = ['/etc/terminfo', '/lib/terminfo', '/usr/share/terminfo'];

/** @param variant which kind to take; by default the first that this host has. @throws HostboxImpossible */
export async function hostPrograms(variant?: HostboxVariant): Promise<Programs> {
  const busybox = variant === 'coreutils' ? undefined : findBusybox();
  if (busybox) return busyboxPrograms(busybox);
  if (variant === 'busybox') {
    throw new HostboxImpossible('hostbox: this host has no busybox; install the package busybox-static');
  }
  return coreutilsPrograms();
}

function findBusybox(): string | undefined {
  const found = ['busybox', 'busybox.static', 'busybox-static'].flatMap(findAll).filter((path) => linkageOf(path));
  return found.find((path) => linkageOf(path)?.kind === 'static') ?? found[0];
}

async function busyboxPrograms(busybox: string): Promise<Programs> {
  const files = new Map([['usr/bin/busybox', busybox]]);
  await addLibraries(files, busybox);
  const links = new Map<string, string>();
  for (const applet of await listApplets(busybox)) {
    const path = merged(applet);
    if (!files.has(path)) links.set(path, relative(dirname(path), 'usr/bin/busybox'));
  }
  return { description: 'busybox', files, links };
}

/** Paths relative to the root. Some builds know only the names: all of those go to /bin. */
async function listApplets(busybox: string): Promise<string[]> {
  const full = await run(busybox, ['--list-full']).catch(() => undefined);
  const lines = full?.stdout ?? (await run(busybox, ['--list'])).stdout;
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => (line.includes('/') ? line : `bin/${line}`))
    .sort();
}

async function coreutilsPrograms(): Promise<Programs> {
  const missing = ESSENTIAL.filter((name) => !findProgram(name));
  if (missing.length > 0) {
    throw new HostboxImpossible(
      `hostbox: this host has neither busybox nor ${missing.join(', ')} in ${DIRECTORIES.join(':')}; install the package busybox-static`,
    );
  }
  const files = new Map<string, string>();
  for (const name of [...ESSENTIAL, ...USUAL]) {
    const program = findProgram(name);
    if (program) files.set(merged(program.path.slice(1)), program.file);
  }
  await Promise.all([...new Set(files.values())].map((program) => addLibraries(files, program)));
  // Loaded by name when a program first asks who a user is, so no program lists it. nss(5); part of libc since glibc 2.34.
  for (const [path, file] of [...files]) {
    const nss = join(dirname(file), 'libnss_files.so.2');
    if (/\/libc\.so\.6$/.test(path) && existsSync(nss))
      files.set(join(dirname(path), 'libnss_files.so.2'), realpathSync(nss));
  }
  for (const name of TERMINALS) {
    const entry = join(name.slice(0, 1), name);
    const directory = TERMINFO.find((each) => existsSync(join(each, entry)));
    if (directory) files.set(join('usr/share/terminfo', entry), realpathSync(join(directory, entry)));
  }
  return { description: 'shell and coreutils', files: new Map([...files].sort(byPath)), links: new Map() };
}

async function addLibraries(files: Map<string, string>, program: string): Promise<void> {
  const linkage = linkageOf(program);
  if (linkage?.kind !== 'dynamic') return;
  for (const library of await librariesOf(program, linkage.loader)) {
    files.set(merged(library.slice(1)), realpathSync(library));
  }
}

/** `path` is where it is called, `file` what is there in the end: often reached over /etc/alternatives. */
function findProgram(name: string): { path: string; file: string } | undefined {
  for (const directory of DIRECTORIES) {
    const path = join(directory, name);
    if (!existsSync(path)) continue;
    const file = realpathSync(path);
    if (linkageOf(file)) return { path, file };
  }
  return undefined;
}

function findAll(name: string): string[] {
  return DIRECTORIES.map((directory) => join(directory, name)).filter((path) => existsSync(path));
}

function byPath([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : 1;
}
