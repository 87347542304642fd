/**
 * The process that becomes the shim of a grading session. In a mount namespace of its own it lays out what sandboxes
 * see, so that no mount of the grader's ever exists on the machine itself, and all of them end with the shim; and it
 * asks the kernel to end the shim when the judge ends, so that nothing of a session survives it.
 *
 * Usage: node --single-threaded --v8-pool-size=0 grade.cjs sandbox-host SESSION   (started by session.ts)
 */

import fs from 'node:fs';
import path from 'node:path';
import { PR_SET_PDEATHSIG, prctl } from '../../engine/kernel/credentials.ts';
import { close, O_PATH, open, setCloseOnExec } from '../../engine/kernel/descriptors.ts';
import { execve } from '../../engine/kernel/execve.ts';
import * as kernel from '../../engine/kernel/mounts.ts';
import { CLONE_NEWNS, unshare } from '../../engine/kernel/namespaces.ts';
import { esbuildBinary } from './compile.ts';
import { builtFile, home } from './home.ts';
import { rootfsTemplate } from './rootfs.ts';
import { copyTree, layOutPrograms, modulesOfNode } from './sandbox-programs.ts';
import { SLOTS, sessionPaths } from './session-paths.ts';

const SIGKILL = 9;
/** What a submission may fill, in memory and in numbers of files. */
const SLOT_OPTIONS = 'mode=0755,size=64m,nr_inodes=20000';
/** Node may have to be copied, too. */
const ROOT_OPTIONS = 'mode=0755,size=384m';
const COMPILER_OPTIONS = 'mode=0755,size=64m';

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

/**
 * The root of every sandbox: some programs and their libraries, Node, the subject. No secrets, no homes, no tests. All is
 * copied, since the place that a bind mount comes from can be read in /proc/self/mountinfo; only Node is too large for that.
 */
function layOutRoot(root: string): void {
  const below = (...parts: string[]) => path.join(root, ...parts);
  kernel.mount({ source: 'tmpfs', target: root, type: 'tmpfs', data: ROOT_OPTIONS });
  for (const folder of ['dev', 'etc', 'node_modules', 'proc', 'skiff', 'slot', 'sys', 'tmp'])
    fs.mkdirSync(below(folder));
  const natives = ['koffi', '@koromix'].map((name) => path.join(home, 'node_modules', name)).filter(fs.existsSync);
  layOutPrograms(root, natives.flatMap(nativeModules));
  fs.writeFileSync(below('etc/passwd'), 'root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
  fs.writeFileSync(below('etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  fs.writeFileSync(below('etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  if (fs.existsSync('/etc/ld.so.cache')) copyTree('/etc/ld.so.cache', below('etc/ld.so.cache'));
  copyTree(builtFile('subject'), below('skiff/subject.cjs'));
  fs.chmodSync(below('skiff/subject.cjs'), 0o644);
  showNode(below('skiff/node'));
  const modules = modulesOfNode();
  if (modules !== null) {
    fs.mkdirSync(below(modules), { recursive: true });
    bindReadOnly(modules, below(modules));
  }
  for (const native of natives) copyTree(native, below('node_modules', path.basename(native)));
  copyTree(rootfsTemplate(), below('skiff/rootfs'));
  kernel.mount({ target: root, flags: kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NODEV });
}

function nativeModules(folder: string): string[] {
  const names = fs.readdirSync(folder, { recursive: true }) as string[];
  return names.filter((name) => name.endsWith('.node')).map((name) => path.join(folder, name));
}

/** Node is a hundred megabytes: it is copied only if it lies in the clone, or if its owner alone may read it. */
function showNode(target: string): void {
  const isOurs = !path.relative(home, process.execPath).startsWith('..');
  if (isOurs || (fs.statSync(process.execPath).mode & 0o005) !== 0o005) {
    copyTree(process.execPath, target);
    fs.chmodSync(target, 0o755);
    return;
  }
  fs.writeFileSync(target, '');
  bindReadOnly(process.execPath, target);
}

/** All that can be read while a submission is compiled, besides itself: the compiler. It needs no libraries. */
function layOutCompiler(root: string): void {
  const below = (...parts: string[]) => path.join(root, ...parts);
  kernel.mount({ source: 'tmpfs', target: root, type: 'tmpfs', data: COMPILER_OPTIONS });
  for (const folder of ['dev', 'course', 'course/labs']) fs.mkdirSync(below(folder));
  copyTree(esbuildBinary(), below('esbuild'));
  fs.chmodSync(below('esbuild'), 0o755);
  kernel.mount({ target: root, flags: kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NODEV });
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
