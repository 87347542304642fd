/**
 * How an ordinary user runs the engine: as root of a user namespace. user_namespaces(7).
 *
 * The daemon's process moves into one and starts over there, under the same pid: a program that started it, waits for it or
 * signals it need not know. Node has threads, and a process with threads can neither make a user namespace nor join
 * one; so unshare(1) makes it, around a process that waits, and nsenter(1), which this process becomes, joins it and
 * becomes Node again. newuidmap(1) and newgidmap(1) give it the user's subordinate ids. The shim inherits all that.
 *
 * Where a shim is alive its namespace is joined instead, so that a new daemon is root of the containers that run.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { close, setCloseOnExec } from '#kernel/descriptors';
import { execve } from '#kernel/execve';
import { rootlessMap, subordinateIds } from '../../container/subordinate-ids.ts';
import { whyNoUserNamespace } from './obstacles.ts';

/** Tells the process that starts over which descriptors it has only for that. */
const MARK = 'SKIFF_ENTERED';

/** Whether this process has started over; it is told once. */
export function hasEntered(): boolean {
  const mark = process.env[MARK];
  delete process.env[MARK];
  if (mark === undefined) return false;
  for (const fd of mark.split(',').filter((word) => /^\d+$/.test(word))) close(Number(fd));
  return true;
}

/**
 * Start `argv` of Node over as root of a user namespace. Returns only when that cannot be done.
 * @param run the engine's run directory, where a shim says its pid.
 * @returns why not, in a sentence that says the way out.
 */
export async function enterUserNamespace(argv: string[], run: string): Promise<string> {
  let namespaces: number[];
  try {
    namespaces = namespacesOfShim(run) ?? (await newNamespaces());
  } catch (error) {
    return (error as Error).message;
  }
  // Node marks its standard streams too.
  for (const fd of [0, 1, 2, ...namespaces]) setCloseOnExec(fd, false);
  const [user, mount] = namespaces;
  const nsenter = programPath('nsenter');
  if (nsenter === null) return lacks('nsenter', 'util-linux');
  const environment = { ...process.env, [MARK]: namespaces.join(',') };
  return execve(
    nsenter,
    [
      'nsenter',
      '--preserve-credentials',
      `--user=/proc/self/fd/${user}`,
      `--mount=/proc/self/fd/${mount}`,
      '--',
      process.execPath,
      ...process.execArgv,
      '--',
      ...argv,
    ],
    Object.entries(environment).map(([name, value]) => `${name}=${value}`),
  );
}

/** Null when no shim of this engine is alive. */
function namespacesOfShim(run: string): number[] | null {
  try {
    const pid = Number(fs.readFileSync(path.join(run, 'shim.pid'), 'utf8'));
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (!words.includes(path.join(run, 'shim.sock'))) return null;
    const isOwn = fs.readlinkSync(`/proc/${pid}/ns/user`) === fs.readlinkSync('/proc/self/ns/user');
    return isOwn ? null : openNamespaces(pid);
  } catch {
    return null;
  }
}

/** @throws Error that says the way out */
async function newNamespaces(): Promise<number[]> {
  const unshare = programPath('unshare');
  if (unshare === null) throw new Error(lacks('unshare', 'util-linux'));
  // What is mounted on the host later is seen; what is mounted here is not seen there.
  const holder = spawn(unshare, ['--user', '--mount', '--propagation', 'slave', '--', 'cat'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(holder, 'exit');
  try {
    await comesAlive(holder);
    mapIds(holder.pid!);
    return openNamespaces(holder.pid!);
  } finally {
    // The descriptors keep the namespaces. It has to be reaped here: who starts over knows of no children.
    holder.kill('SIGKILL');
    await ended;
  }
}

/** It says back what it is told once it is there. */
async function comesAlive(holder: ChildProcess): Promise<void> {
  let errors = '';
  holder.stderr!.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  holder.stdin!.on('error', () => {});
  holder.stdin!.write('.');
  const gone = once(holder, 'close').then(() => {
    throw new Error(whyNoUserNamespace(errors.trim().slice(0, 500)));
  });
  gone.catch(() => {});
  await Promise.race([once(holder.stdout!, 'data'), gone]);
}

function mapIds(pid: number): void {
  const user = ownUser();
  const ranges = { uid: subordinateIds('uid', user), gid: subordinateIds('gid', user) };
  const tools = { uid: programPath('newuidmap'), gid: programPath('newgidmap') };
  if (ranges.uid.length > 0 && ranges.gid.length > 0 && tools.uid !== null && tools.gid !== null) {
    for (const [tool, map] of [
      [tools.uid, rootlessMap(user.uid, ranges.uid)],
      [tools.gid, rootlessMap(process.getgid!(), ranges.gid)],
    ] as const)
      runTool(tool, [String(pid), ...map]);
    return;
  }
  // Without setgroups(2), so that nobody drops a group that a file denies something to. user_namespaces(7).
  fs.writeFileSync(`/proc/${pid}/setgroups`, 'deny');
  fs.writeFileSync(`/proc/${pid}/uid_map`, `0 ${user.uid} 1`);
  fs.writeFileSync(`/proc/${pid}/gid_map`, `0 ${process.getgid!()} 1`);
}

function ownUser(): { name: string; uid: number } {
  const uid = process.getuid!();
  try {
    return { name: os.userInfo().username, uid };
  } catch {
    return { name: '', uid };
  }
}

function runTool(tool: string, args: string[]): void {
  const { status, stderr, error } = spawnSync(tool, args, { encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(
    `${path.basename(tool)} could not map this user's subordinate ids (${(error?.message ?? stderr).trim().slice(0, 300)}). ` +
      `Check /etc/subuid and /etc/subgid, and that ${tool} is set-user-ID root.`,
  );
}

function openNamespaces(pid: number): number[] {
  return ['user', 'mnt'].map((kind) => fs.openSync(`/proc/${pid}/ns/${kind}`, 'r'));
}

function programPath(name: string): string | null {
  const directories = [...(process.env.PATH ?? '').split(':').filter(Boolean), '/usr/bin', '/bin'];
  return directories.map((directory) => path.join(directory, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function lacks(program: string, debianPackage: string): string {
  return `To run containers without root the engine needs ${program} (package ${debianPackage}). Install it, or run the command with sudo.`;
}
