/**
 * A network without root: slirp4netns(1) or pasta(1) takes what a container sends, and sends it as any program of the
 * user's would. The network namespace is made before the container and has a file of its own, so that everything is in
 * place when the container's program begins.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { MNT_DETACH, umount } from '#kernel/mounts';

export const userModePrograms = ['slirp4netns', 'pasta'] as const;
export type UserModeProgram = (typeof userModePrograms)[number];

/** What slirp4netns gives the namespace that it serves. */
export const SLIRP = { address: '10.0.2.100', prefix: 24, gateway: '10.0.2.2', nameserver: '10.0.2.3' } as const;

const INTERFACE = 'tap0';
const TUN = '/dev/net/tun';
/** Milliseconds in which a network is there, also on a busy machine. */
const PATIENCE = 20_000;
const MOST_WORDS = 2000;

/** The one that is used if the user named none; null when there is none. */
export function findUserMode(): UserModeProgram | null {
  return canOpen(TUN) ? (userModePrograms.find((name) => programPath(name) !== null) ?? null) : null;
}

/** Why `name` cannot be used, in a sentence that says the way out; null when it can. */
export function whyNoUserMode(name: UserModeProgram): string | null {
  const debianPackage = name === 'pasta' ? 'passt' : name;
  if (programPath(name) === null)
    return `The network ${name} needs ${name} (package ${debianPackage}). Install it, or use --network none or --network host.`;
  if (!canOpen(TUN)) {
    const wayOut = fs.existsSync(TUN) ? `sudo chmod 666 ${TUN}` : 'sudo modprobe tun';
    return `The network ${name} needs ${TUN}, which this user cannot open. Try: ${wayOut}. Or use --network none or --network host.`;
  }
  return null;
}

/** Where a network namespace is to be, and who serves it. */
interface Place {
  namespace: string;
  pid: string;
}

function placeOf(directory: string): Place {
  return { namespace: path.join(directory, 'namespace'), pid: path.join(directory, 'pid') };
}

/** The file of the namespace, for a specification. */
export function namespacePath(directory: string): string {
  return placeOf(directory).namespace;
}

/**
 * Make a network namespace in `directory` and connect it. Whatever was there before is ended first.
 * @throws Error that names the program and holds what it said. Nothing is left then.
 */
export async function connectUserMode(program: UserModeProgram, directory: string): Promise<void> {
  disconnectUserMode(directory);
  const { namespace, pid } = placeOf(directory);
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  fs.writeFileSync(namespace, '');
  try {
    await toItsEnd(
      spawn('unshare', [`--net=${namespace}`, '--', 'true'], { stdio: ['ignore', 'ignore', 'pipe'] }),
      'unshare',
    );
    if (program === 'slirp4netns') await startSlirp(namespace, pid);
    else await startPasta(namespace, pid);
  } catch (error) {
    disconnectUserMode(directory);
    throw error;
  }
}

/** End what serves the namespace and remove it. It goes when the last process in it has ended. Nothing happens where there is none. */
export function disconnectUserMode(directory: string): void {
  const { namespace, pid } = placeOf(directory);
  endServer(pid, namespace);
  try {
    umount(namespace, MNT_DETACH);
  } catch {
    // It is not mounted: the mount namespace that it was in has gone, or it never was.
  }
  fs.rmSync(directory, { recursive: true, force: true });
}

/** It stays, as a child of this process's or, when that has ended, of no process of ours. */
async function startSlirp(namespace: string, pidFile: string): Promise<void> {
  const options = ['--configure', '--mtu=65520', '--disable-host-loopback', '--enable-sandbox', '--enable-seccomp'];
  const child = spawn(
    programPath('slirp4netns')!,
    [...options, '--netns-type=path', '--ready-fd=3', namespace, INTERFACE],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], detached: true },
  );
  fs.writeFileSync(pidFile, `${child.pid}`);
  const said = wordsOf(child);
  const ready = child.stdio[3] as NodeJS.ReadableStream & { destroy(): void };
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`slirp4netns ended: ${said()}`)));
  ended.catch(() => {});
  try {
    await inTime(Promise.race([once(ready, 'data'), ended]), 'slirp4netns');
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  ready.destroy();
  child.stderr!.destroy();
  child.unref();
}

/** It goes to the background once all is in place. Nothing of the host's loopback is reached, and no port is forwarded. */
async function startPasta(namespace: string, pidFile: string): Promise<void> {
  const closed = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--no-map-gw'];
  const child = spawn(
    programPath('pasta')!,
    ['--config-net', '--quiet', ...closed, '--pid', pidFile, '--netns', namespace],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  await inTime(toItsEnd(child, 'pasta'), 'pasta');
}

/** Its number may be somebody else's by now, so it is ended only while its command line names the namespace. */
function endServer(pidFile: string, namespace: string): void {
  try {
    const pid = Number(fs.readFileSync(pidFile, 'utf8'));
    if (fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(namespace)) process.kill(pid, 'SIGKILL');
  } catch {
    // There is none, or it has ended.
  }
}

async function toItsEnd(child: ChildProcess, name: string): Promise<void> {
  const said = wordsOf(child);
  const [code] = (await once(child, 'exit')) as [number | null];
  child.stderr!.destroy();
  if (code !== 0) throw new Error(`${name} could not make a network for the container: ${said()}`);
}

function wordsOf(child: ChildProcess): () => string {
  let words = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-MOST_WORDS);
  });
  return () => words.trim() || 'it said nothing';
}

async function inTime<T>(work: Promise<T>, name: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} was not ready within ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function canOpen(file: string): boolean {
  try {
    fs.closeSync(fs.openSync(file, 'r+'));
    return true;
  } catch {
    return false;
  }
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
