/**
 * How an ordinary user judges: as root of a user namespace. The judge starts over in one, with its user's subordinate
 * ids where there are some (subuid(5)), and from there on does what root does. It has no power over anything outside.
 */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { PR_SET_PDEATHSIG, prctl, setGid, setUid } from '../../engine/kernel/credentials.ts';
import { close, pipe, read, setCloseOnExec, write } from '../../engine/kernel/descriptors.ts';
import { execve, exitNow } from '../../engine/kernel/execve.ts';
import { fork } from '../../engine/kernel/fork.ts';
import { CLONE_NEWUSER } from '../../engine/kernel/namespaces.ts';
import { waitpid } from '../../engine/kernel/wait.ts';

const SIGKILL = 9;
const IDS = 65535;

/**
 * Run `args` of Node in a new user namespace, with this process's descriptors up to `lastDescriptor`, and end when it
 * ends. Only a process with one thread can enter one, so it is a child; this process stays, since the kernel tells a
 * child of its parent's end and of nobody else's.
 */
export function startOverAsRoot(args: string[], env: Record<string, string>, lastDescriptor: number): never {
  const go = pipe();
  const child = fork(
    () => {
      close(go.write);
      if (read(go.read, 1)?.length !== 1) exitNow(125);
      setGid(0);
      setUid(0);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (let fd = 0; fd <= lastDescriptor; fd++) setCloseOnExec(fd, false);
      const environment = Object.entries({ ...process.env, ...env }).map(([key, value]) => `${key}=${value}`);
      return execve(process.execPath, [process.execPath, ...args], environment);
    },
    { flags: CLONE_NEWUSER },
  );
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  close(go.read);
  mapIds(child);
  write(go.write, '.');
  close(go.write);
  const { status } = waitpid(child)!;
  // Node has not run its event loop since it started, and shall not: the descriptors are the child's.
  return exitNow(status === 0 ? 0 : 1);
}

function mapIds(pid: number): void {
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  const [uids, gids] = [subordinate('uid'), subordinate('gid')];
  if (uids !== null && gids !== null && hasTools()) {
    execFileSync('newuidmap', [String(pid), '0', String(uid), '1', '1', String(uids), String(IDS)]);
    execFileSync('newgidmap', [String(pid), '0', String(gid), '1', '1', String(gids), String(IDS)]);
    return;
  }
  fs.writeFileSync(`/proc/${pid}/setgroups`, 'deny');
  fs.writeFileSync(`/proc/${pid}/uid_map`, `0 ${uid} 1`);
  fs.writeFileSync(`/proc/${pid}/gid_map`, `0 ${gid} 1`);
}

function hasTools(): boolean {
  const folders = (process.env.PATH ?? '').split(':');
  return ['newuidmap', 'newgidmap'].every((name) => folders.some((folder) => fs.existsSync(`${folder}/${name}`)));
}

/** The first of at least IDS subordinate ids, null when this user has none. */
function subordinate(kind: 'uid' | 'gid'): number | null {
  try {
    const { username, uid } = os.userInfo();
    for (const line of fs.readFileSync(`/etc/sub${kind}`, 'utf8').split('\n')) {
      const [owner, first, size] = line.split(':');
      if ((owner === username || owner === String(uid)) && Number(size) >= IDS) return Number(first);
    }
  } catch {
    // No such file, or a user without a name.
  }
  return null;
}
