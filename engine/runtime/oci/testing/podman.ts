/**
 * Podman with two runtimes, ours and runc, each with a store of its own. All of it happens in a network and a mount
 * namespace that end with the test: podman's bridge, its packet rules, its mounts and its locks in /dev/shm are not the
 * host's.
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRootfs } from '../../testing/rootfs.ts';
import { launcher, type Ran } from './bench.ts';

const CGROUPS = '/sys/fs/cgroup';

/** Limits within those of a host that may not raise them. containers.conf(5). */
const CONFIGURATION = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "netavark"
[engine]
events_logger = "file"
`;

export const IMAGE = 'localhost/box';

export interface PodmanOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
}

export interface Podman {
  runtime: string;
  /** Run podman to its end. */
  run(...words: string[]): Promise<Ran>;
  runWith(options: PodmanOptions, ...words: string[]): Promise<Ran>;
  /** The words of a command line: for what needs a terminal, or another program than podman. */
  line(program: 'podman' | 'buildah', ...words: string[]): string[];
  /** A process in the namespaces. */
  spawn(...line: string[]): ChildProcess;
}

export interface PodmanRoom {
  directory: string;
  cgroupParent: string;
  ours: Podman;
  theirs: Podman;
  /** The same with both at the same time. @returns what ours said, and what theirs did. */
  both<T>(act: (podman: Podman) => Promise<T>): Promise<[ours: T, theirs: T]>;
  close(): Promise<void>;
}

/** Why podman cannot be tried here; undefined when it can. */
export function noPodman(): string | undefined {
  if (process.getuid?.() !== 0) return 'podman’s containers are root’s here';
  const missing = ['podman', 'runc', 'conmon', 'unshare', 'nsenter', 'ip'].find((program) => pathOf(program) === '');
  return missing === undefined ? undefined : `there is no ${missing} here`;
}

export function pathOf(program: string): string {
  return spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
}

export async function openPodmanRoom(): Promise<PodmanRoom> {
  const directory = mkdtempSync(join(tmpdir(), 'skiff-podman-'));
  const cgroupParent = `/skiff-podman-test-${process.pid}`;
  const archive = makeArchive(directory);
  writeFileSync(join(directory, 'containers.conf'), CONFIGURATION);
  const script = [
    'ip link set lo up',
    ...['/run', '/dev/shm'].map((path) => `mount -t tmpfs tmpfs ${path}`),
    'echo .',
    'exec cat',
  ].join('\n');
  const holder = spawn('unshare', ['--net', '--mount', '--propagation', 'private', 'sh', '-ec', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await Promise.race([
    once(holder.stdout!, 'data'),
    once(holder, 'exit').then(() => Promise.reject(new Error('the namespaces for podman could not be made'))),
  ]);
  const enter = [`--net=/proc/${holder.pid}/ns/net`, `--mount=/proc/${holder.pid}/ns/mnt`, '--'];
  const open = (name: string, runtime: string) => makePodman({ directory, name, runtime, enter });
  const [ours, theirs] = [open('ours', launcher), open('theirs', pathOf('runc'))];
  const both: PodmanRoom['both'] = (act) => Promise.all([act(ours), act(theirs)]);
  const close = async () => {
    await both((podman) => podman.run('rm', '--all', '--force', '--time', '0'));
    const ended = once(holder, 'exit');
    holder.stdin!.end();
    await ended;
    rmSync(directory, { recursive: true, force: true });
    for (const hierarchy of ['', ...readdirSync(CGROUPS)]) {
      const group = join(CGROUPS, hierarchy, cgroupParent);
      removeCgroups(group);
      // Where no hierarchy is mounted podman makes plain directories and files; the files of a real one cannot be removed.
      if (!isMounted(hierarchy)) rmSync(group, { recursive: true, force: true });
    }
  };
  // One after the other: two that both find no locks in /dev/shm yet get in each other's way making them.
  for (const podman of [ours, theirs]) {
    const { code, stderr } = await podman.run('import', '--quiet', archive, IMAGE);
    if (code === 0) continue;
    await close();
    throw new Error(`podman import: ${stderr}`);
  }
  return { directory, cgroupParent, ours, theirs, both, close };
}

/** An archive of a busybox root. */
export function makeArchive(directory: string): string {
  const rootfs = join(directory, 'rootfs');
  mkdirSync(rootfs);
  makeRootfs(rootfs);
  for (const applet of ['nc', 'sort', 'sed', 'cut', 'df', 'test', 'cp'])
    symlinkSync('busybox', join(rootfs, 'bin', applet));
  const archive = join(directory, 'rootfs.tar');
  execFileSync('tar', ['-cf', archive, '-C', rootfs, '.']);
  return archive;
}

function makePodman(parts: { directory: string; name: string; runtime: string; enter: string[] }): Podman {
  const { directory, name, runtime, enter } = parts;
  const home = join(directory, name);
  mkdirSync(join(home, 'var'), { recursive: true });
  const env = { ...process.env, CONTAINERS_CONF: join(directory, 'containers.conf'), TMPDIR: join(home, 'var') };
  const store = ['--root', join(home, 'root'), '--runroot', join(home, 'run')];
  const line: Podman['line'] = (program, ...words) =>
    program === 'buildah'
      ? ['buildah', ...store, ...words]
      : [
          'podman',
          ...store,
          '--tmpdir',
          join(home, 'tmp'),
          '--cgroup-manager',
          'cgroupfs',
          '--runtime',
          runtime,
          ...words,
        ];
  const start = (words: string[], more: NodeJS.ProcessEnv = {}) =>
    spawn('nsenter', [...enter, ...words], { env: { ...env, ...more }, stdio: ['pipe', 'pipe', 'pipe'] });
  return {
    runtime,
    line,
    spawn: (...words) => start(words),
    run: (...words) => toItsEnd(start(line('podman', ...words))),
    runWith: ({ input, env: more }, ...words) => toItsEnd(start(line('podman', ...words), more), input),
  };
}

/** Its output, when it has ended and nobody writes to it any more. */
export async function toItsEnd(child: ChildProcess, input = ''): Promise<Ran> {
  const texts = [child.stdout!, child.stderr!].map(async (stream) => {
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) text += chunk;
    return text;
  });
  const closed = once(child, 'close');
  child.stdin!.on('error', () => {});
  child.stdin!.end(input);
  const [code] = (await closed) as [number | null];
  const [stdout, stderr] = (await Promise.all(texts)) as [string, string];
  return { code, stdout, stderr };
}

function removeCgroups(directory: string): void {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) removeCgroups(join(directory, entry.name));
    rmdirSync(directory);
  } catch {
    // No such cgroup in this hierarchy, or no hierarchy.
  }
}

/** Whether the kernel shows control groups there. proc_pid_mountinfo(5). */
function isMounted(hierarchy: string): boolean {
  const place = realpathSync(join(CGROUPS, hierarchy));
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.some((line) => line.split(' ')[4] === place && / - cgroup2? /.test(line));
}
