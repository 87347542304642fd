/**
 * The programs and libraries that a sandbox sees: Node, a shell and what usually goes with it, as copies from this machine.
 * None of them does what a lab asks for: no unshare, mount, chroot, tar, no container engine, no compiler.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { linkageOf } from '../../engine/image/elf.ts';
import { home } from './home.ts';
import { FOLDERS_OF_PROGRAMS, findProgram } from './rootfs.ts';

const NAMES = `
  basename cat chmod chown cmp comm cp cut date dd df diff dirname du echo env expand expr false find fold grep head
  hostname id kill ln ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc od paste printenv printf pwd readlink
  realpath rm rmdir sed seq sh sha256sum sleep sort split stat stty sync tail tee test timeout touch tr true truncate
  tty uname uniq wc whoami xargs yes
`
  .trim()
  .split(/\s+/);

/** On most machines links into /usr; what stands in them is then there. */
const SYSTEM_FOLDERS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
/** Where a program that knows no PATH looks; empty ones, too, are there. */
const USUAL_FOLDERS = ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/local/bin', 'usr/local/sbin'];
/** What Debian's Node loads as parts of itself. */
const NODE_SHARED = '/usr/share/nodejs';
/** glibc before 2.34 loads it by name when a program asks who a user is. nss(5). */
const NSS = 'libnss_files.so.2';

interface Listed {
  /** Absolute path in the sandbox → file of this machine. */
  files: [string, string][];
  /** Absolute path in the sandbox → target, for a program of many names. */
  links: [string, string][];
}

/** Copy them below `root`, an empty tmpfs. @param native modules of Node whose libraries are needed, too. */
export function layOutPrograms(root: string, native: string[]): void {
  const links = new Map<string, string>();
  for (const folder of USUAL_FOLDERS) fs.mkdirSync(path.join(root, folder), { recursive: true });
  for (const name of SYSTEM_FOLDERS) {
    const stat = fs.lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const target = stat.isSymbolicLink() ? path.posix.resolve('/', fs.readlinkSync(`/${name}`)).slice(1) : name;
    fs.mkdirSync(path.join(root, target), { recursive: true });
    if (target === name) continue;
    links.set(name, target);
    fs.symlinkSync(target, path.join(root, name));
  }
  // Never through a link: from out here it could lead to the machine's own files.
  const placeOf = (file: string) => {
    const [first, ...rest] = path.posix.normalize(file).split('/').filter(Boolean);
    return path.join(root, links.get(first!) ?? first!, ...rest);
  };
  const listed = list(native);
  for (const [file, source] of listed.files) copyFile(source, placeOf(file), 0o755);
  for (const [file, target] of listed.links) if (!fs.existsSync(placeOf(file))) fs.symlinkSync(target, placeOf(file));
}

/** The modules of a Node that was built to have some of them elsewhere; null for one that has all of them in itself. */
export function modulesOfNode(): string | null {
  return process.execPath.startsWith('/usr/') && fs.existsSync(NODE_SHARED) ? NODE_SHARED : null;
}

/** Copy what is this clone's or the machine's, readable for all whatever the umask was that it was made under. */
export function copyTree(source: string, target: string): void {
  const stat = fs.lstatSync(source);
  if (stat.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target);
  else if (stat.isDirectory()) {
    fs.mkdirSync(target, { recursive: true });
    for (const name of fs.readdirSync(source)) copyTree(path.join(source, name), path.join(target, name));
  } else copyFile(source, target, stat.mode & 0o100 ? 0o755 : 0o644);
}

function copyFile(source: string, target: string, mode: number): void {
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.copyFileSync(source, target);
  fs.chmodSync(target, mode);
}

/** To ask some eighty programs for their libraries takes a while, so the answer is kept with the clone. */
function list(native: string[]): Listed {
  const cache = path.join(home, '.build/sandbox-programs.json');
  const key = keyOf(native);
  try {
    const known = JSON.parse(fs.readFileSync(cache, 'utf8')) as Listed & { key: string };
    if (known.key === key && known.files.every(([, source]) => fs.existsSync(source))) return known;
  } catch {
    // It does not exist yet, or is half written.
  }
  const made = listNow(native);
  try {
    fs.writeFileSync(`${cache}.${process.pid}`, JSON.stringify({ key, ...made }));
    fs.renameSync(`${cache}.${process.pid}`, cache);
  } catch {
    // Then it is made anew the next time.
  }
  return made;
}

/** Whatever is installed or updated changes one of the times. */
function keyOf(native: string[]): string {
  const watched = ['/etc/ld.so.cache', ...FOLDERS_OF_PROGRAMS, process.execPath, ...native];
  const times = watched.map((file) => [file, fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs]);
  return createHash('sha256')
    .update(JSON.stringify([NAMES, times]))
    .digest('hex');
}

function listNow(native: string[]): Listed {
  const files = new Map<string, string>();
  const links = new Map<string, string>();
  const add = (program: string) => {
    for (const library of librariesOf(program)) {
      if (!fs.existsSync(library)) continue;
      files.set(library, fs.realpathSync(library));
      const nss = path.join(path.dirname(library), NSS);
      if (path.basename(library) === 'libc.so.6' && fs.existsSync(nss)) files.set(nss, fs.realpathSync(nss));
    }
  };
  const names = new Map<string, string[]>();
  for (const name of NAMES) {
    const file = findProgram(name);
    const program = file === null ? null : fs.realpathSync(file);
    if (program !== null && linkageOf(program) !== undefined) names.set(program, [...(names.get(program) ?? []), name]);
  }
  for (const [program, called] of names) {
    const own = called.length === 1 ? called[0]! : path.basename(program);
    files.set(`/bin/${own}`, program);
    for (const name of called) if (name !== own) links.set(`/bin/${name}`, own);
  }
  for (const program of [...names.keys(), process.execPath, ...native]) add(program);
  return { files: [...files], links: [...links] };
}

/** The loader's own answer, itself included; [] for what is linked statically. ld.so(8), `--list`. */
function librariesOf(program: string): string[] {
  const linkage = linkageOf(program);
  const loader = linkage?.kind === 'dynamic' ? linkage.loader : loaderOfNode();
  if (linkage === undefined || loader === null || (linkage.kind === 'static' && !/\.(node|so)\b/.test(program)))
    return [];
  try {
    const text = execFileSync(loader, ['--list', program], {
      encoding: 'utf8',
      env: { LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return [loader, ...Array.from(text.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x/gm), (match) => match[1]!)];
  } catch {
    // Packages bring one module for each C library; the others are never loaded.
    return [];
  }
}

/** A library names no loader; the one that loads it has one. */
function loaderOfNode(): string | null {
  const linkage = linkageOf(process.execPath);
  return linkage?.kind === 'dynamic' ? linkage.loader : null;
}
