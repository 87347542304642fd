/**
 * The process that becomes the shim of a grading session. In a mount namespace of its own it lays out what sandboxes
 * see, so that no mount of the grader's ever exists on the machine itself, and all of them end with the shim; and it
 * asks the kernel to end the shim when the judge ends, so that nothing of a session survives it.
 *
 * Usage: node --single-threaded --v8-pool-size=0 grade.cjs sandbox-host SESSION   (started by session.ts)
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PR_SET_PDEATHSIG, prctl } from '../../engine/kernel/credentials.ts';
import { close, O_PATH, open, setCloseOnExec } from '../../engine/kernel/descriptors.ts';
import { execve } from '../../engine/kernel/execve.ts';
import * as kernel from '../../engine/kernel/mounts.ts';
import { CLONE_NEWNS, unshare } from '../../engine/kernel/namespaces.ts';
import { esbuildBinary } from './compile.ts';
import { builtFile, home } from './home.ts';
import { rootfsTemplate } from './rootfs.ts';
import { SESSION_PREFIX, SLOTS, sessionPaths } from './session-paths.ts';

const SIGKILL = 9;
/** What a submission may fill, in memory and in numbers of files. */
const SLOT_OPTIONS = 'mode=0755,size=64m,nr_inodes=20000';
const SYSTEM_FOLDERS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

export async function sandboxHost(): Promise<void> {
  const session = process.argv[3];
  if (session === undefined) throw new Error('usage: sandbox-host SESSION');
  process.umask(0o022);
  const paths = sessionPaths(session);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  unshare(CLONE_NEWNS);
  kernel.mount({ target: '/', flags: kernel.MS_REC | kernel.MS_PRIVATE });
  layOutRoot(paths.root);
  layOutCompiler(paths.compilerRoot);
  for (let slot = 0; slot < SLOTS; slot++) mountSlot(paths.slot(slot), paths.view(slot));
  for (const fd of [0, 1, 2]) setCloseOnExec(fd, false);
  const shim = [builtFile('shim'), paths.socket, paths.run];
  const environment = Object.entries(process.env).map(([key, value]) => `${key}=${value}`);
  execve(process.execPath, [process.execPath, '--single-threaded', '--v8-pool-size=0', ...shim], environment);
}

/** The root of every sandbox: this machine's programs and libraries, Node, the subject. No secrets, no homes, no tests. */
function layOutRoot(root: string): void {
  const below = (...parts: string[]) => path.join(root, ...parts);
  kernel.mount({ source: 'tmpfs', target: root, type: 'tmpfs', data: 'mode=0755,size=8m' });
  for (const folder of ['dev', 'etc', 'node_modules', 'proc', 'skiff', 'slot', 'sys', 'tmp', 'usr'])
    fs.mkdirSync(below(folder));
  bindReadOnly('/usr', below('usr'));
  for (const name of SYSTEM_FOLDERS) {
    const stat = fs.lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(`/${name}`), below(name));
    else if (stat?.isDirectory()) {
      fs.mkdirSync(below(name));
      bindReadOnly(`/${name}`, below(name));
    }
  }
  hideTheClone(below());
  fs.writeFileSync(below('etc/passwd'), 'root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
  fs.writeFileSync(below('etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  fs.writeFileSync(below('etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  if (fs.existsSync('/etc/ld.so.cache')) fs.copyFileSync('/etc/ld.so.cache', below('etc/ld.so.cache'));
  fs.copyFileSync(builtFile('subject'), below('skiff/subject.cjs'));
  fs.chmodSync(below('skiff/subject.cjs'), 0o644);
  fs.writeFileSync(below('skiff/node'), '');
  bindReadOnly(process.execPath, below('skiff/node'));
  for (const name of ['koffi', '@koromix']) {
    const source = path.join(home, 'node_modules', name);
    if (!fs.existsSync(source)) continue;
    fs.mkdirSync(below('node_modules', name));
    showReadOnly(source, below('node_modules', name));
  }
  fs.mkdirSync(below('skiff/rootfs'));
  showReadOnly(rootfsTemplate(), below('skiff/rootfs'));
  kernel.mount({ target: root, flags: kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NODEV });
}

/** All that can be read while a submission is compiled, besides itself: the compiler. It needs no libraries. */
function layOutCompiler(root: string): void {
  const below = (...parts: string[]) => path.join(root, ...parts);
  kernel.mount({ source: 'tmpfs', target: root, type: 'tmpfs', data: 'mode=0755,size=64k' });
  for (const folder of ['dev', 'course', 'course/labs']) fs.mkdirSync(below(folder));
  fs.writeFileSync(below('esbuild'), '');
  showReadOnly(esbuildBinary(), below('esbuild'));
  kernel.mount({ target: root, flags: kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NODEV });
}

/** A clone that lies below /usr would show the tests and the solutions to every submission. */
function hideTheClone(root: string): void {
  const place = path.join(root, home);
  if (fs.existsSync(place))
    kernel.mount({ source: 'tmpfs', target: place, type: 'tmpfs', flags: kernel.MS_RDONLY, data: 'size=4k,mode=0555' });
}

const LARGEST_COPY = 'mode=0755,size=256m';

/** Show what belongs to the clone. One that was made under a strict umask is its owner's alone to read, so it is copied. */
function showReadOnly(source: string, target: string): void {
  if (isForAll(source)) {
    bindReadOnly(source, target);
    return;
  }
  const copies = fs.mkdtempSync(path.join(os.tmpdir(), `${SESSION_PREFIX}${process.ppid}-copy-`));
  kernel.mount({ source: 'tmpfs', target: copies, type: 'tmpfs', data: LARGEST_COPY });
  const copy = path.join(copies, path.basename(source));
  fs.cpSync(source, copy, { recursive: true, verbatimSymlinks: true });
  openToAll(copy);
  bindReadOnly(copy, target);
  kernel.umount(copies, kernel.MNT_DETACH);
  fs.rmdirSync(copies);
}

/** Whether others may read the whole of it. Links are followed by their reader. */
function isForAll(file: string): boolean {
  const stat = fs.lstatSync(file);
  if (stat.isSymbolicLink()) return true;
  if (!stat.isDirectory()) return (stat.mode & 0o004) !== 0 && ((stat.mode & 0o100) === 0 || (stat.mode & 0o001) !== 0);
  if ((stat.mode & 0o005) !== 0o005) return false;
  return fs.readdirSync(file).every((name) => isForAll(path.join(file, name)));
}

function openToAll(file: string): void {
  const stat = fs.lstatSync(file);
  if (stat.isSymbolicLink()) return;
  fs.chmodSync(file, stat.mode & 0o100 ? 0o755 : 0o644);
  if (stat.isDirectory()) for (const name of fs.readdirSync(file)) openToAll(path.join(file, name));
}

function bindReadOnly(source: string, target: string): void {
  kernel.mount({ source, target, flags: kernel.MS_BIND | kernel.MS_REC });
  const fd = open(target, O_PATH);
  kernel.setMountAttributes(fd, kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV, true);
  close(fd);
}

/**
 * A slot is what one sandbox at a time can write to. The judge looks at it through a second mount on which no symbolic
 * link is followed, so that none that a submission makes there can lead the judge to a file of this machine.
 */
function mountSlot(slot: string, view: string): void {
  kernel.mount({ source: 'tmpfs', target: slot, type: 'tmpfs', flags: kernel.MS_NOSUID, data: SLOT_OPTIONS });
  kernel.mount({ source: slot, target: view, flags: kernel.MS_BIND });
  kernel.mount({
    target: view,
    flags: kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOSYMFOLLOW,
  });
}
