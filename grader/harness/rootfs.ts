/** The tree that the containers of a suite run on: busybox where the host has one, else shell, coreutils and libraries. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { home } from './home.ts';

/** Where programs are looked for; the PATH of the grader says nothing about the containers. */
export const FOLDERS_OF_PROGRAMS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const PROGRAMS = [
  ...['cat', 'chmod', 'echo', 'env', 'false', 'head', 'hostname', 'id', 'kill', 'ls', 'mkdir', 'mount', 'mv', 'ps'],
  ...['pwd', 'readlink', 'rm', 'sh', 'sleep', 'stat', 'test', 'touch', 'true', 'umount', 'uname', 'wc'],
];

/**
 * A prepared tree, made once per clone and host. It is never run on itself: each subject copies it.
 * @returns its path, below `.build/`.
 */
export function rootfsTemplate(): string {
  const busybox = findProgram('busybox');
  const target = path.join(home, '.build', busybox === null ? 'rootfs-host' : 'rootfs-of-busybox');
  if (fs.existsSync(target)) return target;
  const draft = `${target}.${process.pid}`;
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp', 'root'])
    fs.mkdirSync(path.join(draft, folder), { recursive: true });
  fs.writeFileSync(
    path.join(draft, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  );
  fs.writeFileSync(path.join(draft, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  if (busybox === null) copyPrograms(draft);
  else installBusybox(busybox, draft);
  try {
    fs.renameSync(draft, target);
  } catch (error) {
    // Another run was faster; its tree is as good.
    fs.rmSync(draft, { recursive: true, force: true });
    if (!fs.existsSync(target)) throw error;
  }
  return target;
}

function installBusybox(busybox: string, root: string): void {
  copyWithLibraries(busybox, path.join(root, 'bin/busybox'), root);
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  // Not all four hundred: each subject gets a copy, and the suites must do with what is there without busybox.
  for (const applet of applets)
    if (PROGRAMS.includes(applet)) fs.symlinkSync('busybox', path.join(root, 'bin', applet));
}

function copyPrograms(root: string): void {
  for (const name of PROGRAMS) {
    const program = findProgram(name);
    if (program !== null) copyWithLibraries(fs.realpathSync(program), path.join(root, 'bin', name), root);
  }
}

function copyWithLibraries(program: string, target: string, root: string): void {
  fs.copyFileSync(program, target);
  fs.chmodSync(target, 0o755);
  for (const library of librariesOf(program)) {
    const copy = path.join(root, library);
    if (fs.existsSync(copy)) continue;
    fs.mkdirSync(path.dirname(copy), { recursive: true });
    fs.copyFileSync(library, copy);
    fs.chmodSync(copy, 0o755);
  }
}

/** ldd(1) prints the absolute path of every library, the loader's own included; it fails for a static program. */
function librariesOf(program: string): string[] {
  try {
    const text = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return [...text.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
  } catch {
    return [];
  }
}

/** @returns an absolute path; null if this machine has no such program. */
export function findProgram(name: string): string | null {
  return FOLDERS_OF_PROGRAMS.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file)) ?? null;
}
