/**
 * The probes that make system calls, each in a forked child of its own, so that whatever one of them does to its
 * process is gone with it. Runs as `node --single-threaded --v8-pool-size=0 workshop.cjs probe-kernel` and prints one
 * KernelAnswer a line; a probe that takes this process down is known by the answers that are missing.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setUid } from '#kernel/credentials';
import { exitNow } from '#kernel/execve';
import { fork } from '#kernel/fork';
import { rawSystemCall } from '#kernel/libc';
import { MS_PRIVATE, MS_REC, mount } from '#kernel/mounts';
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '#kernel/namespaces';
import { waitpid } from '#kernel/wait';
import type { KernelAnswer } from './finding.ts';

const isRoot = process.getuid?.() === 0;
/** Without root every namespace is made together with a user namespace, as the rootless lane does. */
const own = isRoot ? 0n : CLONE_NEWUSER;

const NOBODY = 65534;
const SECCOMP_GET_ACTION_AVAIL = 2;
const SECCOMP_RET_ERRNO = 0x00050000;

/** Their ids in the order in which they are tried. */
export const kernelProbes: Record<string, (scratch: string) => void> = {
  fork: () => inChild(0n, () => {}),
  mnt: () => inChild(own | CLONE_NEWNS, () => {}),
  pid: () => inChild(own | CLONE_NEWPID, () => expectPidOne()),
  uts: () => inChild(own | CLONE_NEWUTS, () => {}),
  ipc: () => inChild(own | CLONE_NEWIPC, () => {}),
  net: () => inChild(own | CLONE_NEWNET, () => {}),
  cgroup: () => inChild(own | CLONE_NEWCGROUP, () => {}),
  user: (scratch) => asAnyone(scratch),
  proc: (scratch) => inChild(own | CLONE_NEWNS | CLONE_NEWPID, () => mountProc(scratch)),
  overlay: (scratch) => inChild(own | CLONE_NEWNS, () => mountOverlay(scratch)),
  seccomp: () => askSeccomp(),
};

/** Run every probe and print its answer. */
export function answerKernelProbes(): void {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-doctor-'));
  fs.chmodSync(scratch, 0o755);
  try {
    for (const [id, probe] of Object.entries(kernelProbes)) {
      fs.writeSync(1, `${JSON.stringify({ id, error: failureOf(() => probe(scratch)) } satisfies KernelAnswer)}\n`);
    }
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function failureOf(probe: () => void): string | null {
  try {
    probe();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Run `work` in a forked child. What it throws comes back over a file: the simplest thing that survives every namespace. */
function inChild(flags: bigint, work: () => void): void {
  const report = fs.mkdtempSync(path.join(os.tmpdir(), 'skiff-doctor-'));
  const file = path.join(report, 'error');
  const fd = fs.openSync(file, 'w');
  const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  try {
    const pid = fork(
      () => {
        try {
          if ((flags & CLONE_NEWUSER) !== 0n) becomeRootOfNamespace(ids);
          work();
        } catch (error) {
          fs.writeSync(fd, (error as Error).message);
          exitNow(1);
        }
        exitNow(0);
      },
      { flags },
    );
    const ended = waitpid(pid);
    if (ended?.status !== 0)
      throw new Error(fs.readFileSync(file, 'utf8') || `the child ended with wait status ${ended?.status}`);
  } finally {
    fs.closeSync(fd);
    fs.rmSync(report, { recursive: true, force: true });
  }
}

/** Without a mapping nothing can be created in the namespace: its files would have no owner. */
function becomeRootOfNamespace({ uid, gid }: { uid: number; gid: number }): void {
  fs.writeFileSync('/proc/self/setgroups', 'deny');
  fs.writeFileSync('/proc/self/uid_map', `0 ${uid} 1`);
  fs.writeFileSync('/proc/self/gid_map', `0 ${gid} 1`);
}

function expectPidOne(): void {
  const nspid = /^NSpid:\s*(.*)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  if (!/\s1$/.test(nspid)) throw new Error(`the child's NSpid is ${nspid}, which does not end in 1`);
}

/** A user namespace made by an ordinary user, in which a mount must work: AppArmor may allow the one and refuse the other. */
function asAnyone(scratch: string): void {
  const become = () => {
    if (isRoot) setUid(NOBODY);
  };
  inChild(0n, () => {
    become();
    const pid = fork(
      () => {
        const failure = failureOf(() => mount({ source: 'tmpfs', target: scratch, type: 'tmpfs' }));
        exitNow(failure === null ? 0 : 1);
      },
      { flags: CLONE_NEWUSER | CLONE_NEWNS },
    );
    if (waitpid(pid)?.status !== 0) throw new Error('the namespace is made, but mounting in it is refused');
  });
}

function mountProc(scratch: string): void {
  mount({ target: '/', flags: MS_REC | MS_PRIVATE });
  mount({ source: 'proc', target: scratch, type: 'proc' });
  const pid = fs.readlinkSync(path.join(scratch, 'self'));
  if (pid !== '1') throw new Error(`the new /proc shows process ${pid} instead of 1`);
}

function mountOverlay(scratch: string): void {
  mount({ target: '/', flags: MS_REC | MS_PRIVATE });
  mount({ source: 'tmpfs', target: scratch, type: 'tmpfs' });
  const [lowerdir, upperdir, workdir, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => {
    const folder = path.join(scratch, name);
    fs.mkdirSync(folder);
    return folder;
  }) as [string, string, string, string];
  fs.writeFileSync(path.join(lowerdir, 'below'), 'seen through');
  const data = `lowerdir=${lowerdir},upperdir=${upperdir},workdir=${workdir}${isRoot ? '' : ',userxattr'}`;
  mount({ source: 'overlay', target: merged, type: 'overlay', data });
  fs.readFileSync(path.join(merged, 'below'));
}

function askSeccomp(): void {
  const action = Buffer.alloc(4);
  action.writeUInt32LE(SECCOMP_RET_ERRNO);
  rawSystemCall('seccomp', 'SECCOMP_RET_ERRNO', SECCOMP_GET_ACTION_AVAIL, 0, action);
}
